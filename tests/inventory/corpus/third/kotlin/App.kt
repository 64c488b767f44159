package org.acme

import io.ktor.client.*
import io.ktor.network.sockets.*
import org.http4k.server.Undertow
import java.net.*

object Defaults {
    const val HTTP_PORT = 7300
    const val GRPC_PORT: Int = 7301
    const val TIMEOUT_MS = 30_000L
    val allowed = setOf("http://localhost:3001", "http://127.0.0.1:3001")
}

enum class Service(val port: Int, val rows: Int) {
    API(7302, 1000),
    WEB(7303, 2000),
}

@ConfigurationProperties("app")
data class AppProperties(var port: Int = 7304, var grpcPort: Int = 7305, var cacheSeconds: Int = 3600)

class Cli : CliktCommand() {
    val port by option("--port", envvar = "PORT").int().default(7306)
    val rows by option("--rows").int().default(5000)

    override fun run() {
        val admin = System.getProperty("admin.port")?.toInt() ?: 7307
        val env = System.getenv().getOrDefault("WS_PORT", "7308").toInt()
        embeddedServer(Netty, port = 7309, watchPaths = listOf("classes")) { module() }.start(true)
        routes.asServer(Undertow(7310)).start().block()
        Javalin.create().start("0.0.0.0", 7311)
        val server = ServerSocket(7312, 1024)
        server.soTimeout = 10_000
        val udp = DatagramSocket(7313)
        val ktor = aSocket(selector).tcp().connect("127.0.0.1", 7314)
        val s = Socket("localhost", 7315)
        val channel = ManagedChannelBuilder.forTarget("localhost:7316").build()
        val lettuce = RedisURI.create("localhost", 6405)
        val client = HttpClient(CIO) { defaultRequest { host = "localhost"; port = 7317 } }
        val http = HttpRequest.newBuilder(URI("http://localhost:7318/orders/40404")).build()
        val kafka = mapOf("bootstrap.servers" to "localhost:9100", "linger.ms" to 2000)
        val settings = mapOf("server.port" to "7319", "spring.jpa.batch" to "1000")
        System.setProperty("server.port", "7320")
        println("since ${Year.of(1998)} ${admin + env} ${2024 - 1998} $s $udp $ktor $channel $lettuce $http")
    }

    private fun defaultPort(): Int = if (System.getenv("CI") != null) 7321 else 7322
}
