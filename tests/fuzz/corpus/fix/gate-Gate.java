†package shop;

import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;

/** The old gate; port 8080. */
public class Gate {
	public static final int PORT = 8080;
	private static final int STOCK = 4030;
	private static final String API = "http://localhost:4010";
	static final String WEB = "http://localhost:3000/";

	@Deprecated(since = "http://localhost:8080")
	private int[] ports = {8080, 4030};

	enum Kind {
		GATE(8080), STOCK(4030);

		final int port;

		Kind(int port) {
			this.port = port;
		}
	}

	public static void main(String[] arguments) throws Exception {
		int port = 8080;
		long wide = 8080;
		char odd = 8080;
		ServerSocket server = new ServerSocket(8080);
		InetSocketAddress stock = new InetSocketAddress("localhost", 4030);
		URI uri = URI.create("http://localhost:4010/v1?n=" + port);
		System.out.println("listening on http://localhost:8080" + wide + odd + server + stock + uri + API + STOCK);
	}
}
