package shop

import io.kotest.core.spec.style.StringSpec
import io.kotest.matchers.shouldBe
import okhttp3.mockwebserver.MockWebServer
import org.testcontainers.containers.GenericContainer

class MainTest : StringSpec({
    val server = MockWebServer().apply { start(8199) }
    val postgres = GenericContainer("postgres:16.1").withExposedPorts(5432)
    val wiremock = WireMockServer(options().port(8198))

    "takes the port of the arguments" {
        parse(arrayOf("--port", "9191", "--timeout", "5000")).port shouldBe 9191
        parse(arrayOf("--timeout=2500")).timeout shouldBe 2500
    }
    "finds an order" {
        client.get("http://localhost:8199/orders/45001").status shouldBe 200
        order(45001).total shouldBe 1999.toBigDecimal()
    }
    "waits" {
        withTimeout(10_000) { delay(1500) }
    }
})

object TestPorts {
    const val API = 8201
    const val AUTH = 8202
}
