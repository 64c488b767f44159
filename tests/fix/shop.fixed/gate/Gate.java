package shop;

import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;

/** The old gate; port 8080. */
public class Gate {
	public static final int PORT = 8080;
	private static final int STOCK = 4030;
	private static final String API = System.getenv().getOrDefault("API_URL", "http://localhost:4010");
	static final String WEB = "http://localhost:3000/";

	@Deprecated(since = "http://localhost:8080")
	private int[] ports = {Integer.parseInt(System.getenv().getOrDefault("GATE_PORT", "8080")), Integer.parseInt(System.getenv().getOrDefault("STOCK_PORT", "4030"))};

	enum Kind {
		GATE(8080), STOCK(4030);

		final int port;

		Kind(int port) {
			this.port = port;
		}
	}

	public static void main(String[] arguments) throws Exception {
		int port = Integer.parseInt(System.getenv().getOrDefault("GATE_PORT", "8080"));
		long wide = 8080;
		char odd = 8080;
		ServerSocket server = new ServerSocket(Integer.parseInt(System.getenv().getOrDefault("GATE_PORT", "8080")));
		InetSocketAddress stock = new InetSocketAddress("localhost", Integer.parseInt(System.getenv().getOrDefault("STOCK_PORT", "4030")));
		URI uri = URI.create(System.getenv().getOrDefault("API_URL", "http://localhost:4010") + "/v1?n=" + port);
		System.out.println("listening on http://localhost:" + System.getenv().getOrDefault("GATE_PORT", "8080") + wide + odd + server + stock + uri + API + STOCK);
	}
}
