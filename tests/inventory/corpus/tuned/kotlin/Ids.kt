// 8080 and 3000 are no ports here
enum class Id(val n: Int) { REPORT(3000), SUPPORT(8080) }
val viewport = 1280 to 1024
fun export(limit: Int = 5000) = (1..limit).filter { it % 1000 == 0 }
val text = """
    Order 3000, passport 31337
""".trimIndent()
