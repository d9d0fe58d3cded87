#include "gateway/rehearsal.h"

#include "gateway/publisher.h"

namespace torii {

Result<void> rehearse(std::vector<control::Located> transaction, const Configuration& configuration) {
    TORII_TRY(const auto crypto, CryptoBook::make({.time_kernels = false, .only = configuration.only_kernels}));
    Database database{{},
                      {.build = [&](const SaEntry& sa) -> Result<void> {
                           TORII_CHECK(Publisher::suite_of(*crypto, sa.spec));
                           return {};
                       },
                       .discard = [](const SaEntry&) {},
                       .admit = [](const Policy&) -> Result<void> { return {}; },
                       .dismiss = [](const Policy&) {},
                       .is_port = [](const std::string&) { return true; }}};
    Journal journal;
    TORII_CHECK(database.apply(std::move(transaction), {}, journal));
    return {};
}

}  // namespace torii
