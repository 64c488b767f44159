@Configuration
public class AppConfig {
    @Value("${server.port:8080}") String port;
    @Value("${cache.ttl:3600}") int ttl;
    private String redis = System.getenv().getOrDefault("REDIS_PORT", "6379");
    private String url = System.getProperty("api", "http://localhost:8085");

    @Bean
    Client client() {
        return Client.builder().host("localhost").port(9200).timeout(5000).year(2024).build();
    }
}
