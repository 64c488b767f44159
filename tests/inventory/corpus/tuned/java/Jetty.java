import org.eclipse.jetty.server.Server;
import static spark.Spark.*;

public class Jetty {
    public static void main(String[] args) throws Exception {
        Server server = new Server(8080);
        server.setStopTimeout(5000);
        port(4567);
        threadPool(1000);
        Javalin.create().start(7000);
        get("/x", (q, r) -> { r.status(404); return "2024"; });
    }
}
