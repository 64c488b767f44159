package com.example.shop;

import java.net.*;
import java.time.Duration;
import com.sun.net.httpserver.HttpServer;
import io.grpc.ManagedChannelBuilder;
import io.grpc.ServerBuilder;
import io.vertx.core.http.HttpServerOptions;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

public class Gateway {
    private static final int DEFAULT_PORT = 8086;
    private static final int BUFFER = 65_535;
    private static final long FOUNDED = 1998L;

    private final int adminPort;
    private final Duration timeout = Duration.ofMillis(15000);

    public Gateway() {
        this(9085);
    }

    Gateway(int adminPort) {
        this.adminPort = adminPort;
    }

    void start() throws Exception {
        int port = Integer.parseInt(System.getProperty("server.port", "8086"));
        String env = System.getenv().getOrDefault("PORT", "8087");
        HttpServer http = HttpServer.create(new InetSocketAddress("0.0.0.0", 8088), 1024);
        Server jetty = new Server(8090);
        ServerConnector tls = new ServerConnector(jetty);
        tls.setPort(8444);
        tls.setIdleTimeout(30000);
        ServerBuilder.forPort(50055).maxInboundMessageSize(4194304).build().start();
        vertx.createHttpServer(new HttpServerOptions().setPort(8091).setCompressionLevel(6)).listen();
        ServerSocket debug = new ServerSocket(6007, 50, InetAddress.getLoopbackAddress());
        debug.setSoTimeout(20000);
        Spark.port(4569);
        Javalin.create(c -> c.http.maxRequestSize = 50000).start(7071);
    }

    void clients() throws Exception {
        var channel = ManagedChannelBuilder.forAddress("localhost", 50056).usePlaintext().build();
        var socket = new Socket("127.0.0.1", 6008);
        var jedis = new redis.clients.jedis.JedisPool("localhost", 6385);
        var mongo = MongoClients.create("mongodb://localhost:27019");
        var ds = "jdbc:postgresql://localhost:5438/shop?socketTimeout=3000";
        var es = RestClient.builder(new HttpHost("localhost", 9202, "http"));
        var props = Map.of("bootstrap.servers", "localhost:9095", "max.poll.records", "2000", "session.timeout.ms", "45000");
        var uri = URI.create("http://localhost:8500/v1/kv");
        Thread.sleep(2500);
        if (code == 1045) throw new IllegalStateException("error 1045 of 2024-05-01");
    }
}
