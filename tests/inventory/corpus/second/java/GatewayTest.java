package com.example.shop;

import static org.junit.jupiter.api.Assertions.*;
import com.github.tomakehurst.wiremock.WireMockServer;
import org.junit.jupiter.api.*;
import org.testcontainers.containers.GenericContainer;

class GatewayTest {
    @RegisterExtension
    static WireMockExtension wm = WireMockExtension.newInstance().options(wireMockConfig().port(8099)).build();

    GenericContainer<?> redis = new GenericContainer<>("redis:7.2").withExposedPorts(6379);
    WireMockServer server = new WireMockServer(8098);

    @BeforeEach
    void setUp() {
        RestAssured.port = 8097;
        RestAssured.baseURI = "http://localhost";
        stubFor(get("/orders/20417").willReturn(aResponse().withStatus(404).withFixedDelay(2000)));
    }

    @Test
    @Timeout(value = 5000, unit = TimeUnit.MILLISECONDS)
    void ordersOfAYear() {
        assertEquals(1900, Year.of(1900).getValue());
        assertEquals(30303, order("30303").id());
        assertThat(page.width()).isBetween(1024, 1920);
        assertEquals("http://localhost:8097/orders", client.url("/orders"));
        assertEquals(8097, client.port());
    }
}
