package org.acme;

import io.micronaut.runtime.Micronaut;
import io.netty.bootstrap.*;
import io.undertow.Undertow;
import org.apache.catalina.startup.Tomcat;
import org.springframework.beans.factory.annotation.Value;
import picocli.CommandLine.Option;

public final class Application {
    public static final String HOST = "localhost";
    public static final int PORT = 9700;
    private static final int[] PORTS = {9701, 9702};
    private static final Duration TTL = Duration.ofSeconds(3600);
    private static final int MAX_ROWS = 50_000;

    @Value("${app.port:9703}")
    private int port;

    @Value("${app.timeout:5000}")
    private int timeout;

    @Option(names = {"-p", "--port"}, defaultValue = "9704", description = "port, 9704 if not given")
    int cliPort;

    @ConfigProperty(name = "metrics.port", defaultValue = "9705")
    Integer metricsPort;

    @Size(min = 1000, max = 9999)
    String pin;

    public static int getPort() {
        String p = System.getenv("PORT");
        return p == null ? 9706 : Integer.parseInt(p);
    }

    public static void main(String[] args) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setPort(9707);
        tomcat.getConnector().setProperty("maxPostSize", "20480");
        Undertow.builder().addHttpListener(9708, "0.0.0.0").setIoThreads(1024).build().start();
        new ServerBootstrap().option(ChannelOption.SO_BACKLOG, 1024).bind(9709).sync();
        new Bootstrap().connect("127.0.0.1", 9710).sync().await(5000);
        DatagramSocket udp = new DatagramSocket(9711);
        udp.receive(new DatagramPacket(new byte[2048], 2048));
        new Thread(new Acceptor(new ServerSocket(9712), 30000)).start();
        SocketChannel.open(new InetSocketAddress("localhost", 9713));
        HttpRequest.newBuilder(URI.create("http://localhost:9714/v2/items?year=2023")).timeout(Duration.ofMillis(2500));
        Jedis jedis = new Jedis(HOST, 6403);
        Properties p = new Properties();
        p.put("bootstrap.servers", "kafka:9099");
        p.put("max.request.size", "10485");
        p.setProperty("mail.smtp.port", "2530");
        p.setProperty("mail.smtp.timeout", "8000");
        CqlSession.builder().addContactPoint(new InetSocketAddress("127.0.0.1", 9042)).build();
        new TransportClient().addTransportAddress(new TransportAddress(InetAddress.getByName("localhost"), 9301));
        RedisURI.Builder.redis("localhost", 6404).withTimeout(Duration.ofMillis(3000)).build();
        Consul.builder().withUrl("http://consul:8500").build();
        LocalDateTime.of(2024, 5, 17, 8, 30);
        log.info("order {} of {}", 20411, 1900);
    }
}
