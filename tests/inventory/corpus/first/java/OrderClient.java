package shop;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.stereotype.Component;

@Component
class OrderClient {
    @Value("${orders.port:8085}")
    private int port;

    @Value("${orders.timeout:3000}")
    private int timeout;

    @Value("${orders.url:http://localhost:8085/api}")
    private String url;

    private final String version = "2.8080.1";

    String status(int code) {
        switch (code) {
        case 2000:
            return "ok";
        case 4040:
            return "gone";
        default:
            return String.valueOf(5000);
        }
    }
}
