class ServerTest {
    private val port = 18080

    @Test
    fun `answers 404`() {
        val wm = WireMockServer(options().port(8089).asynchronousResponseTimeout(3000))
        given().port(8090).get("/x").then().statusCode(404)
        assertEquals(2000, Duration.ofSeconds(2).toMillis())
    }
}
