package shop

import io.ktor.server.engine.embeddedServer
import io.ktor.server.netty.Netty
import java.net.InetSocketAddress
import java.net.Socket
import kotlin.time.Duration.Companion.seconds

const val DEFAULT_PORT = 8180
private const val MAX_BODY = 65_536
val RETRY_MILLIS = listOf(1000L, 2000L, 4000L)

data class ServerConfig(
    val host: String = "0.0.0.0",
    val port: Int = 8180,
    val adminPort: Int = 9180,
    val idleTimeout: Int = 30_000,
)

fun main(args: Array<String>) {
    val port = System.getenv("PORT")?.toInt() ?: 8181
    val metricsPort = System.getenv("METRICS_PORT")?.toIntOrNull() ?: 9464
    embeddedServer(Netty, port = port, host = "0.0.0.0") { module() }.start(wait = false)
    embeddedServer(CIO, 8182) { module() }.start(wait = true)
}

fun Application.module() {
    install(CORS) {
        allowHost("localhost:3000")
        maxAgeInSeconds = 3600
    }
    val db = Database.connect("jdbc:postgresql://localhost:5439/shop", driver = "org.postgresql.Driver")
    val redis = RedisClient.create("redis://localhost:6386")
    val search = HttpClient { defaultRequest { url("http://search:9203/") } }
    routing { get("/status") { call.respond(HttpStatusCode.fromValue(418)) } }
}

fun probe(): Boolean = runCatching {
    Socket().use { it.connect(InetSocketAddress("127.0.0.1", 7072), 2000) }
}.isSuccess

fun grpc() = ManagedChannelBuilder.forAddress("localhost", 50057).usePlaintext().build()

fun undertow() = Undertow.builder().addHttpListener(8183, "localhost").build()

fun http4k() = routes.asServer(Jetty(9000)).start()

val build = 20240601
val launched = LocalDate.of(2021, 4, 12)
val ids = setOf(10234, 10235, 60001)
