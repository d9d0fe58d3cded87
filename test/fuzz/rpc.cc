// One line on the control socket: whatever it holds, it is answered, by one line of JSON or by none.
#include <cstdint>
#include <cstdlib>

#include "app/rpc/methods.h"
#include "app/setkey/setkey.h"
#include "test/unit/rpc/fake_control.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    using namespace torii;
    static test::FixedGateway control;
    static const rpc::Setkey setkey{
        .run = [](std::string_view text, std::string_view file, rpc::Keys) -> Result<std::string> {
            TORII_TRY(auto program, setkey::parse(text, file));
            return setkey::run(control, std::move(program), {});
        },
        .dump_sas = [](rpc::Keys) { return std::string{"No SAD entries.\n"}; },
        .dump_policies = [] { return std::string{"No SPD entries.\n"}; }};
    const rpc::Call call{.control = control, .setkey = setkey, .subscribe = [] {}};
    const auto answer = rpc::answer(call, {reinterpret_cast<const char*>(octets), count});
    const std::string_view said{answer.data(), answer.size()};
    if (!said.empty() && said.front() != '{' && said.front() != '[') std::abort();
    if (said.find(test::secret_key) != said.npos) std::abort();
    return 0;
}
