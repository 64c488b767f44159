#pragma once
#include <cstdint>
struct Options {
	uint16_t port = 6000;
	int timeout_ms = 3000;
	std::string host = "localhost";
};
constexpr uint16_t kMetricsPort{9100};
inline constexpr int kYear = 2024;
