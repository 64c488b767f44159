object Config {
    val port: Int = (System.getenv("PORT") ?: "8080").toInt()
    const val ADMIN_PORT = 8081
    const val TIMEOUT = 3000L
    val redis = RedisConfig(host = "localhost", port = 6379, database = 15)
    val broker = System.getenv("BROKER") ?: "localhost:9092"
    val years = listOf(2023, 2024)
}
