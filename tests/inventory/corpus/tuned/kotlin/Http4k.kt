fun main() {
    val app: HttpHandler = { Response(OK).body("2024") }
    app.asServer(Netty(9000)).start()
    val server = ServerSocket(9001)
    val client = OkHttpClient.Builder().callTimeout(5000, TimeUnit.MILLISECONDS).build()
    val url = "http://localhost:9002/orders/${3000 + 1}"
}
