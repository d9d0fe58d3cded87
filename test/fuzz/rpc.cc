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
        .run = [](const rpc::SetkeyText& text, rpc::Keys) -> Result<rpc::SetkeyAnswer> {
            TORII_TRY(auto program, setkey::parse(text.text, text.file));
            TORII_TRY(auto ran, setkey::run(control, std::move(program), {}));
            return rpc::SetkeyAnswer{.output = std::move(ran.output)};
        },
        .dump_sas = [](const rpc::Setkey::Dump&) -> Result<std::string> { return "No SAD entries.\n"; },
        .dump_policies = [] { return std::string{"No SPD entries.\n"}; },
        .policy = setkey::parse_policy};
    const rpc::Call call{.control = control,
                         .setkey = setkey,
                         .subscribe = [] {},
                         .bind_socket = [](int, std::string_view) -> Result<std::size_t> { return 0; }};
    const auto answer = rpc::answer(call, {reinterpret_cast<const char*>(octets), count});
    const std::string_view said{answer.data(), answer.size()};
    if (!said.empty() && said.front() != '{' && said.front() != '[') std::abort();
    if (said.find(test::secret_key) != said.npos) std::abort();
    return 0;
}
