// The statements: which productions each has, and what each becomes at the control seam.
#include <algorithm>
#include <iterator>
#include <limits>

#include "app/setkey/forward_twins.h"
#include "app/setkey/grammar.h"
#include "app/setkey/setkey.h"

namespace torii::setkey {
namespace {

constexpr std::uint64_t any_u32 = std::numeric_limits<std::uint32_t>::max();

class Parser {
public:
    Parser(std::string_view text, std::string_view file_name, const Hosts& hosts) : in_(text, file_name, hosts) {}

    Result<Program> parse() {
        while (in_.token().kind != Token::Kind::end && !left_) TORII_CHECK(statement());
        program_.legacy = in_.says_legacy();
        program_.warnings = in_.warnings();
        program_.unknown_hosts = in_.unknown_hosts();
        return std::move(program_);
    }

private:
    using Production = Result<void> (Parser::*)();
    static Production production_of(const Token& name);  // null: there is no such statement

    Result<void> statement() {
        const Token name = in_.token();
        const Production production = production_of(name);
        if (!production) return in_.fail(Errc::bad_syntax, "this is no setkey statement");
        if (++count_ > max_statements)
            return in_.fail(Errc::no_room, "a text takes at most " + std::to_string(max_statements) + " statements");
        where_ = in_.where(name.line);
        in_.take();
        TORII_CHECK((this->*production)());
        return in_.end_statement();
    }

    void emit(control::Operation operation) { program_.operations.push_back({std::move(operation), where_}); }
    void ask(Query query) {
        query.where = where_;
        (program_.operations.empty() ? program_.queries_before : program_.queries_after).push_back(std::move(query));
    }

    /// For each pair of addresses reads what stands behind them anew, so that no key is copied.
    template <class Rest>
    Result<void> for_each_pair(Rest rest) {
        TORII_TRY(const auto pairs, parse_addresses(in_));
        const Cursor behind = in_;
        for (const SaEnds& ends : pairs) {
            in_ = behind;
            TORII_CHECK(rest(ends));
        }
        return {};
    }
    Result<void> add() {
        return for_each_pair([this](const SaEnds& ends) -> Result<void> {
            TORII_TRY(auto spec, parse_sa(in_, ends));
            emit(control::AddSa{std::move(spec)});
            return {};
        });
    }
    Result<void> update() {
        return for_each_pair([this](const SaEnds& ends) -> Result<void> {
            TORII_TRY(auto spec, parse_sa(in_, ends));
            emit(control::UpdateSa{std::move(spec)});
            return {};
        });
    }
    Result<void> getspi() {
        return for_each_pair([this](const Endpoints& ends) -> Result<void> {
            control::SaSpec spec;
            TORII_TRY(spec.id, parse_sa_id(in_, ends));
            TORII_CHECK(parse_extensions(in_, spec));
            emit(control::GetSpi{spec.id, spec.mode, spec.reqid});
            return {};
        });
    }
    /// The name of one SA, and options that KAME takes here as well.
    Result<control::SaId> named_sa() {
        const Token first = in_.token();
        TORII_TRY(const auto pairs, parse_addresses(in_));
        if (pairs.size() != 1)
            return in_.fail(Errc::bad_value, "these hosts have several addresses, and this takes one SA", first);
        control::SaSpec unused;
        TORII_TRY(const auto id, parse_sa_id(in_, pairs.front()));
        if (in_.token().is("-m")) in_.warn("a mode means nothing here: the SPI names the SA");
        TORII_CHECK(parse_extensions(in_, unused));
        return id;
    }
    Result<void> remove() {
        TORII_TRY(const auto id, named_sa());
        emit(control::DeleteSa{id});
        return {};
    }
    Result<void> remove_all() {
        return for_each_pair([this](const Endpoints& ends) -> Result<void> {
            TORII_TRY(const auto protocol, parse_protocol_filter(in_));
            emit(control::DeleteAllSas{ends.source, ends.destination, protocol});
            return {};
        });
    }
    Result<void> get() {
        TORII_TRY(const auto id, named_sa());
        ask({Query::Kind::get, id, {}, {}});
        return {};
    }
    Result<void> flush() {
        TORII_TRY(const auto protocol, parse_protocol_filter(in_));
        emit(control::FlushSas{protocol});
        return {};
    }
    Result<void> dump() {
        TORII_TRY(const auto protocol, parse_protocol_filter(in_));
        ask({Query::Kind::dump, {}, protocol, {}});
        return {};
    }

    /// What stands before -P, and the direction behind it, whose word stays the last token taken.
    Result<Policy> policy_head() {
        Policy policy;
        if (in_.token().is("tagged")) {
            TORII_TRY(policy.selector.tag, parse_tag(in_));
        } else {
            TORII_TRY(policy.selector, parse_selector(in_));
        }
        while (in_.token().is("-lh") || in_.token().is("-li")) {
            const Token option = in_.take();
            TORII_TRY(const auto seconds, in_.number(option.text, 0, any_u32));
            (option.is("-lh") ? policy.lifetime_seconds : policy.validtime_seconds) =
                static_cast<std::uint32_t>(seconds);
        }
        if (in_.token().is("-ctx")) return in_.fail(Errc::unsupported, no_contexts);
        if (!in_.token().is("-P")) return in_.fail(Errc::bad_syntax, "-P and a policy are needed here");
        in_.begin_policy();
        TORII_TRY(policy.direction, parse_direction(in_));
        return policy;
    }
    template <class Operation>
    Result<void> make_policy() {
        TORII_TRY(auto policy, policy_head());
        const bool forward = in_.last().is("fwd");
        TORII_CHECK(parse_action(in_, policy));
        if (!twins_.made(policy, forward)) emit(Operation{std::move(policy)});
        return {};
    }
    Result<void> spdadd() { return make_policy<control::AddPolicy>(); }
    Result<void> spdupdate() { return make_policy<control::UpdatePolicy>(); }
    Result<void> spddelete() {  // the direction is enough; a whole policy is taken as well, as KAME does
        TORII_TRY(auto policy, policy_head());
        const bool forward = in_.last().is("fwd");
        if (!in_.token().is(';')) TORII_CHECK(parse_action(in_, policy));
        if (!twins_.removed(policy, forward)) emit(control::DeletePolicy{policy.direction, policy.selector});
        return {};
    }
    Result<void> spddump() {
        ask({Query::Kind::spddump, {}, {}, {}});
        return {};
    }
    Result<void> spdflush() {
        twins_ = {};
        emit(control::FlushPolicies{});
        return {};
    }
    Result<void> leave() {
        left_ = true;
        return {};
    }

    Cursor in_;
    Program program_;
    ForwardTwins twins_;
    std::string where_;  // of the statement in hand
    std::size_t count_ = 0;
    bool left_ = false;
};

Parser::Production Parser::production_of(const Token& name) {
    static constexpr std::pair<std::string_view, Production> productions[] = {
        {"add", &Parser::add},
        {"update", &Parser::update},
        {"getspi", &Parser::getspi},
        {"delete", &Parser::remove},
        {"deleteall", &Parser::remove_all},
        {"get", &Parser::get},
        {"flush", &Parser::flush},
        {"dump", &Parser::dump},
        {"spdadd", &Parser::spdadd},
        {"spdupdate", &Parser::spdupdate},
        {"spddelete", &Parser::spddelete},
        {"spddump", &Parser::spddump},
        {"spdflush", &Parser::spdflush},
        {"exit", &Parser::leave},
        {"quit", &Parser::leave},
        {"bye", &Parser::leave},
    };
    const auto* const row = std::ranges::find_if(productions, [&](const auto& p) { return name.is(p.first); });
    return row == std::end(productions) ? nullptr : row->second;
}

}  // namespace

Result<Program> parse(std::string_view text, std::string_view file_name, const Hosts& hosts) {
    if (text.size() > max_text_octets)
        return fail(Errc::no_room,
                    std::string{file_name} + ": a text takes at most " + std::to_string(max_text_octets) + " octets");
    return Parser{text, file_name, hosts}.parse();
}

Result<Policy> parse_policy(std::string_view statement) {
    TORII_TRY(Program program, parse(statement, "policy"));
    const bool alone =
        program.operations.size() == 1 && program.queries_before.empty() && program.queries_after.empty();
    auto* const add = alone ? std::get_if<control::AddPolicy>(&program.operations.front().operation) : nullptr;
    if (add == nullptr) return fail(Errc::bad_syntax, "one policy was expected, and nothing else");
    return std::move(add->policy);
}

}  // namespace torii::setkey
