#include "cli/text.h"

#include "catch.h"

using namespace torii::cli;

TEST_CASE("a line is cut at blanks, quotes hold words together, and each word knows its place") {
    const Words words = split(R"(  show  "aes-gcm-16 128" it''s 'a "b' x"y z)");
    REQUIRE(words.list.size() == 5);
    CHECK(words.list[0].text == "show");
    CHECK(words.list[0].begin == 2);
    CHECK(words.list[0].end == 6);
    CHECK(words.list[1].text == "aes-gcm-16 128");
    CHECK(words.list[2].text == "its");
    CHECK(words.list[3].text == "a \"b");
    CHECK(words.list[4].text == "xy z");
    CHECK(words.open_quote);
    CHECK(split("").list.empty());
    CHECK_FALSE(split(" \t ").open_quote);
}

TEST_CASE("no text can play with the terminal, and well-formed UTF-8 stays readable") {
    CHECK(printable("\x1b[2Jred\x07") == "\\x1b[2Jred\\x07");
    CHECK(printable("東京 gateway") == "東京 gateway");
    CHECK(printable("a\nb\tc\r") == "a\\x0ab\\x09c\\x0d");
    CHECK(printable("a\nb\tc\r", true) == "a\nb\tc\\x0d");
    CHECK(printable("\xc2\x9b"
                    "31m") == "\\xc2\\x9b31m");                               // C1 CSI
    CHECK(printable("\xc0\xaf\xff\xe6\x9d") == "\\xc0\\xaf\\xff\\xe6\\x9d");  // overlong, no lead, cut off
    CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");                    // a surrogate
    CHECK(printable("\x7f") == "\\x7f");
}

TEST_CASE("one slip of a key is a distance of one") {
    CHECK(distance("show", "show") == 0);
    CHECK(distance("shw", "show") == 1);
    CHECK(distance("shoow", "show") == 1);
    CHECK(distance("shiw", "show") == 1);
    CHECK(distance("hsow", "show") == 1);
    CHECK(distance("", "show") == 4);
}

TEST_CASE("the nearest name is suggested, a far one is not") {
    CHECK(nearest("neighbors", {"ports", "neighbours", "routes"}) == "neighbours");
    CHECK(nearest("port", {"ports", "routes"}) == "ports");
    CHECK(nearest("xyzzy", {"ports", "routes"}).empty());
    CHECK(nearest(std::string(100'000, 'x'), {"ports"}).empty());
}

TEST_CASE("tables are aligned by columns, numbers to the right, and end without blanks") {
    CHECK(draw_table({{"NAME"}, {"COUNT", true}, {"NOTE"}}, {{"wan", "1,234", ""}, {"東京", "7", "x\x1b"}}) ==
          "NAME  COUNT  NOTE\n"
          "wan   1,234\n"
          "東京        7  x\\x1b\n");
    CHECK(draw_table({{"NAME"}}, {}).empty());
}

TEST_CASE("counts are grouped and durations told in two units") {
    CHECK(grouped("0") == "0");
    CHECK(grouped("999") == "999");
    CHECK(grouped("1000") == "1,000");
    CHECK(grouped("18446744073709551615") == "18,446,744,073,709,551,615");
    CHECK(duration(0) == "0 s");
    CHECK(duration(59) == "59 s");
    CHECK(duration(60) == "1 min 0 s");
    CHECK(duration(3 * 3600 + 300) == "3 h 5 min");
    CHECK(duration(86400) == "1 day 0 h");
    CHECK(duration(2 * 86400 + 3600 * 4) == "2 days 4 h");
}

TEST_CASE("long text is wrapped at blanks and words are never cut") {
    CHECK(wrapped("it's one two three", 2, 12) == "  it's one\n  two three\n");
    CHECK(wrapped("unbreakable", 2, 5) == "  unbreakable\n");
}
