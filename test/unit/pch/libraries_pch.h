// Read once for all tests: what most of them include is most of what compiling one costs. Other people's headers alone:
// a cache of the compiler's may hand out what it precompiled before comments or blanks changed, and to g++ ours would
// be other files then, that `#pragma once` lets in a second time. It stands in for no #include of a test's own.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <expected>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
