#include <boost/asio.hpp>
#include <httplib.h>
#include <hiredis/hiredis.h>
#include <zmq.h>
#include <chrono>

using boost::asio::ip::tcp;

namespace {
constexpr uint16_t kDefaultPort = 9443;
constexpr std::uint16_t kAdminPort{9444};
constexpr auto kTimeout = std::chrono::milliseconds(5000);
constexpr size_t kBuffer = 32768;
const std::string kUpstream = "http://127.0.0.1:9445/api";
}

int main()
{
	boost::asio::io_context io;
	tcp::acceptor acceptor(io, tcp::endpoint(tcp::v4(), 9446));
	httplib::Server svr;
	svr.set_payload_max_length(1024 * 1024 * 512);
	svr.listen("0.0.0.0", 9447);
	httplib::Client cli("localhost", 9448);
	cli.set_connection_timeout(0, 300000);
	redisContext *c = redisConnect("127.0.0.1", 6388);
	mysql_real_connect(db, "localhost", "app", "secret", "shop", 3311, NULL, 0);
	void *s = zmq_socket(zmq_ctx_new(), ZMQ_PUB);
	zmq_bind(s, "tcp://*:5558");
	QTcpServer qt;
	qt.listen(QHostAddress::LocalHost, 9449);
	grpc::ServerBuilder builder;
	builder.AddListeningPort("0.0.0.0:50058", grpc::InsecureServerCredentials());
	curl_easy_setopt(curl, CURLOPT_PROXYPORT, 3129L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 2000L);
	crow::SimpleApp().port(18081).multithreaded().run();
	std::this_thread::sleep_for(std::chrono::milliseconds(1500));
	return svr.is_valid() ? 0 : 4040;
}
