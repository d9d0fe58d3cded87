// The unit tests of everything that needs DPDK: EAL first, then Catch2.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include "test/support/wires.h"

int main(int argc, char** argv) {
    torii::test::start_test_eal();
    return Catch::Session().run(argc, argv);
}
