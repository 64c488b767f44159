#include <boost/asio.hpp>
#include <cstdint>
#include <string>

namespace net = boost::asio;

static constexpr std::uint16_t kDefaultPort = 5555;
static const std::string kBroker = "tcp://localhost:1883";
constexpr int kMaxRetries = 3000;

int main()
{
	net::io_context io{1};
	net::ip::tcp::acceptor acceptor(io, {net::ip::tcp::v4(), 5555});
	net::ip::tcp::resolver resolver(io);
	auto results = resolver.resolve("localhost", "5556");
	const double pi = 3.1415;
	return static_cast<int>(results.size() + kMaxRetries + pi) % 1000;
}
