#include "cli/events.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "cli/output.h"
#include "cli/text.h"

namespace torii::cli {

namespace {

std::string selector_text(const Value& packet) {
    const auto end = [&](std::string_view address, std::string_view port) {
        return packet[address].text + (packet[port].is_null() ? "" : "[" + packet[port].text + "]");
    };
    return end("source", "source_port") + " -> " + end("destination", "destination_port") + " protocol " +
           packet["protocol"].text;
}

}  // namespace

std::string event_text(const Value& event) {
    std::string out = event["kind"].text;
    if (out == "ike") {
        if (event["level"].text != "info") out += " " + event["level"].text;
        if (!event["connection"].text.empty()) out += "  " + event["connection"].text;
        if (event["number"].count() != 0) out += " #" + event["number"].text;
        return printable(out + "  " + event["text"].text);
    }
    if (const Value& sa = event["sa"]; !sa.is_null()) {
        char spi[16];
        std::snprintf(spi, sizeof spi, "0x%08x", static_cast<unsigned>(sa["spi"].count()));
        out += "  " + sa["protocol"].text;
        if (const Value& request = event["request"]; !request.is_null()) out += "/" + request["mode"].text;
        out += " " + sa["source"].text + " -> " + sa["destination"].text;
        if (sa["spi"].count() != 0) out += std::string{" spi "} + spi;
    }
    if (!event["policy"].is_null()) out += "  policy " + event["policy"].text;
    if (!event["sequence"].is_null()) out += "  sequence " + event["sequence"].text;
    if (!event["flow_label"].is_null()) out += "  flow label " + event["flow_label"].text;
    if (!event["packet"].is_null()) out += "  packet " + selector_text(event["packet"]);
    if (event["repeated"].count() > 1) out += "  (" + event["repeated"].text + " times)";
    return printable(out);
}

std::string clock_text(std::uint64_t unix_milliseconds, int digits) {
    const auto seconds = static_cast<std::time_t>(unix_milliseconds / 1000);
    std::tm local{};
    localtime_r(&seconds, &local);
    char day[32], fraction[16];
    std::strftime(day, sizeof day, "%H:%M:%S", &local);
    std::snprintf(fraction, sizeof fraction, ".%03u000", static_cast<unsigned>(unix_milliseconds % 1000));
    return std::string{day} + std::string{fraction}.substr(0, 1 + static_cast<std::size_t>(digits));
}

Result<void> follow_events(Client& client, const std::function<std::string(const Value& event)>& line) {
    TORII_CHECK(client.ask("events.subscribe"));
    for (;;) {
        const auto notification = client.next_notification();
        if (interrupted != 0) {
            if (isatty(STDOUT_FILENO) == 1) print("\n");  // behind the terminal's ^C
            break;
        }
        if (!notification) return std::unexpected(notification.error());
        const Value& event = (*notification)["params"];
        if ((*notification)["method"].text == "events.lost")
            complain(event["lost"].text + " events were lost here: they came faster than they were read");
        else if (const std::string text = line(event); !text.empty())
            print(text + "\n");
        if (std::fflush(stdout) != 0) break;  // whoever called tells why
    }
    client.close();  // ends the subscription
    return {};
}

}  // namespace torii::cli
