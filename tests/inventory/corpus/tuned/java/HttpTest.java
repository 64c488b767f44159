@SpringBootTest(properties = "server.port=8099")
class HttpTest {
    @Test
    void answers() throws Exception {
        HttpRequest q = HttpRequest.newBuilder(URI.create("http://localhost:8099/orders/5000")).build();
        assertEquals(404, send(q).statusCode());
        Socket s = new Socket();
        s.connect(new InetSocketAddress("localhost", 8098), 2000);
        assertThat(order.year()).isEqualTo(2024);
    }
}
