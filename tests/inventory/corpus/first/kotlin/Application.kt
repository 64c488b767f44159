package shop

import io.ktor.server.engine.embeddedServer
import io.ktor.server.netty.Netty

const val MAX_UPLOAD = 10_000
private val startedIn = 2022

fun main() {
    val port = System.getenv("PORT")?.toInt() ?: 8080
    embeddedServer(Netty, port = port, host = "0.0.0.0") { module() }.start(wait = true)
}

fun admin() = embeddedServer(Netty, port = 9090) { delay(3000) }

data class Target(val host: String = "localhost", val port: Int = 7070, val weight: Int = 1000)
