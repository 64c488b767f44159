package gateway

private const val HEALTH_PORT: Int = 8558
private val started = 2021

class Gateway(private val host: String = "127.0.0.1", private val port: Int = 25520) {
    val seeds = listOf("akka://shop@127.0.0.1:25521", "akka://shop@127.0.0.1:25522")
    fun bind() = Http().newServerAt("0.0.0.0", 8089).bind(routes)
    fun timeout() = 3000.milliseconds
    fun client() = HttpClient { defaultRequest { url("http://localhost:8090/") }; install(Timeout) { requestTimeoutMillis = 15000 } }
}
