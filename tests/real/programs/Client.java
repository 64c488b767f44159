import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

public class Client {
	public static void main(String[] arguments) throws Exception {
		HttpRequest request = HttpRequest.newBuilder(URI.create("http://localhost:@PORT@/who")).build();
		System.out.print(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
		try (Socket socket = new Socket("127.0.0.1", @PORT@)) {
			if (socket.getPort() != @PORT@)
				System.out.println("the peer's port is " + socket.getPort());
			socket.getOutputStream().write("GET /who HTTP/1.0\r\n\r\n".getBytes());
			BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream()));
			String last = "";
			for (String line = in.readLine(); line != null; line = in.readLine())
				last = line;
			System.out.println(last);
		}
	}
}
