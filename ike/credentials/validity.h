// What a verdict about a certificate says of it. Inside the credentials room only. Any thread.
#pragma once

#include <string>

#include "ike/credentials/openssl.h"

namespace torii::ike {

/// "Nov 1 2026", of UTC.
std::string date_text(const ASN1_TIME* time);
/// Its subject, or its serial number when it has none.
std::string subject_text(const X509* certificate);
/// Every identity that it bears, for an operator who looks for another: "'CN=gw', gw.example.com, 20.0.0.1".
std::string names_text(const X509* certificate);

}  // namespace torii::ike
