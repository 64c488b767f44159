#pragma once
#include <cpprest/http_client.h>
#include <QTcpSocket>

class Client {
public:
	static constexpr int DefaultPort = 6200;
	static constexpr int MaxRetries = 1000;

	explicit Client(std::string host = "localhost", uint16_t port = 6201)
		: host_(std::move(host)), port_(port), limit_(20000) {}

	void open()
	{
		socket_.connectToHost("127.0.0.1", 6202);
		socket_.waitForConnected(5000);
		beast::tcp_stream(ioc).connect(tcp::endpoint(asio::ip::make_address("127.0.0.1"), 6203));
		http_listener listener(U("http://0.0.0.0:6204/api"));
		ws_.connect("ws://localhost:6205/feed");
		context_ = redisConnectWithTimeout("localhost", 6407, tv);
		QHostAddress any("2001:db8:6206::1");
	}

private:
	std::string host_;
	uint16_t port_ = 6207;
	uint32_t color_ = 4095, width_ = 1280;
	int limit_ = 50000;
};
