/* Outcomes become statuses and messages; see priv/net_outcome.h.
 *
 * The table:  404 410 NOT_FOUND | 401 403 407 REFUSED | 408 425 429 5xx NETWORK, worth another try (but 501, 505) |
 * other codes NETWORK, lasting | name, connection, handshake, cut, silence NETWORK, worth another try |
 * certificate NETWORK, lasting, names --ca | unreadable CA file USAGE.
 */
#include "priv/net_outcome.h"
#include <string.h>

typedef struct code_row {
    int code;
    cistern_status status;
    bool transient;
    const char *advice;
} code_row;

static const code_row code_rows[] = {
    {304, CISTERN_NETWORK, false,
     "not modified, which was not asked: the server or a proxy before it is at fault"},
    {400, CISTERN_NETWORK, false, "bad request: check the address"},
    {401, CISTERN_REFUSED, false,
     "a user name and password are wanted: put them into the address (https://user:password@host/...), or "
     "see --netrc and --headers-file"},
    {403, CISTERN_REFUSED, false,
     "access refused: check the address, its permissions, or whether a signed address has expired"},
    {404, CISTERN_NOT_FOUND, false, "nothing is there: check the address"},
    {405, CISTERN_NETWORK, false, "the server does not allow this kind of request"},
    {407, CISTERN_REFUSED, false,
     "the proxy wants a user name and password: put them into the proxy's address"},
    {408, CISTERN_NETWORK, true, "the server timed out"},
    {410, CISTERN_NOT_FOUND, false, "it was there and has been removed for good"},
    {412, CISTERN_CONFLICT, false, "it has changed meanwhile"},
    {416, CISTERN_NETWORK, false, "the server has no such range"},
    {425, CISTERN_NETWORK, true, "too early"},
    {429, CISTERN_NETWORK, true, "too many requests"},
    {451, CISTERN_REFUSED, false, "not available for legal reasons"},
    {500, CISTERN_NETWORK, true, "the server failed"},
    {501, CISTERN_NETWORK, false, "the server does not know this kind of request"},
    {502, CISTERN_NETWORK, true, "the server behind the proxy failed"},
    {503, CISTERN_NETWORK, true, "the server is overloaded or in maintenance"},
    {504, CISTERN_NETWORK, true, "the server behind the proxy did not answer"},
    {505, CISTERN_NETWORK, false, "the server does not speak HTTP/1.1"},
    {507, CISTERN_NETWORK, true, "the server has no space left"},
};

cistern_status net_outcome_http(int code, const char *shown, bool *out_transient, cistern_error *err)
{
    for (size_t i = 0; i < sizeof code_rows / sizeof code_rows[0]; i++) {
        const code_row *row = &code_rows[i];
        if (row->code == code) {
            *out_transient = row->transient;
            return base_fail(err, row->status, "%s: HTTP %d: %s", shown, code, row->advice);
        }
    }
    *out_transient = code >= 500 && code <= 599;
    return base_fail(err, CISTERN_NETWORK, "%s: HTTP %d: %s", shown, code,
                     *out_transient ? "the server failed" : "no answer that can be used");
}

static cistern_status certificate_fault(const net_fault *fault, const char *shown, const net_options *options,
                                        cistern_error *err)
{
    return base_fail(err, CISTERN_NETWORK, "%s: the server's certificate is not trusted (%s): %s", shown,
                     fault->text,
                     options->ca_file != NULL ? "check the file given with --ca"
                                              : "name your own authority's certificate with --ca FILE");
}

static cistern_status ca_file_fault(const char *shown, const net_options *options, cistern_error *err)
{
    if (options->ca_file != NULL)
        return base_fail(err, CISTERN_USAGE, "%s: the certificates in '%s' cannot be read: check --ca", shown,
                         options->ca_file);
    return base_fail(err, CISTERN_NETWORK,
                     "%s: the system has no certificates to trust: install them (Debian: apt install "
                     "ca-certificates) or name a file with --ca FILE",
                     shown);
}

static cistern_status connect_fault(const net_fault *fault, const char *shown, const net_options *options,
                                    bool *out_transient, cistern_error *err)
{
    *out_transient = true;
    if (fault->connect_code >= 400) {
        *out_transient = fault->connect_code >= 500 || fault->connect_code == 429;
        return fault->connect_code == 407
                   ? net_outcome_http(407, shown, out_transient, err)
                   : base_fail(err, fault->connect_code == 403 ? CISTERN_REFUSED : CISTERN_NETWORK,
                               "%s: the proxy answered HTTP %d and made no connection", shown,
                               fault->connect_code);
    }
    const char *through = options->proxy != NULL && options->proxy[0] != '\0' ? " (or to the proxy)" : "";
    if (fault->os_errno != 0) {
        base_fail_errno(err, fault->os_errno, "%s: no connection to the server%s", shown, through);
        if (err != NULL)
            err->status = CISTERN_NETWORK;
        return CISTERN_NETWORK;
    }
    return base_fail(err, CISTERN_NETWORK, "%s: no connection to the server%s", shown, through);
}

static cistern_status cut_fault(const net_fault *fault, const char *shown, cistern_error *err)
{
    return base_fail(err, CISTERN_NETWORK, "%s: the connection was lost %s (%s)", shown,
                     fault->body_began ? "before the end" : "before an answer", fault->text);
}

cistern_status net_outcome_fault(const net_fault *fault, const char *shown, const net_options *options,
                                 bool *out_transient, cistern_error *err)
{
    *out_transient = false;
    switch (fault->code) { /* libcurl's own list is long and grows: the rest is below */
    case CURLE_OUT_OF_MEMORY:
        return base_fail_memory(err, 0);
    case CURLE_URL_MALFORMAT:
        return base_fail(err, CISTERN_USAGE, "%s: not a URL that can be asked for", shown);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return certificate_fault(fault, shown, options, err);
    case CURLE_SSL_CACERT_BADFILE:
        return ca_file_fault(shown, options, err);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_NOT_BUILT_IN:
    case CURLE_WEIRD_SERVER_REPLY:
        return base_fail(err, CISTERN_NETWORK, "%s: the server's answer is no HTTP that is understood here",
                         shown);
    case CURLE_COULDNT_RESOLVE_HOST:
        *out_transient = true;
        return base_fail(err, CISTERN_NETWORK, "%s: no such host: check the address and the name service",
                         shown);
    case CURLE_COULDNT_RESOLVE_PROXY:
        *out_transient = true;
        return base_fail(err, CISTERN_NETWORK, "%s: the proxy's host is not known: check --proxy", shown);
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
        return connect_fault(fault, shown, options, out_transient, err);
    case CURLE_OPERATION_TIMEDOUT:
        *out_transient = true;
        return base_fail(err, CISTERN_NETWORK, "%s: timed out (%s)", shown, fault->text);
    case CURLE_SSL_CONNECT_ERROR:
        *out_transient = true;
        return base_fail(err, CISTERN_NETWORK, "%s: no TLS connection (%s)", shown, fault->text);
    default:
        if (fault->connect_code >= 400)
            return connect_fault(fault, shown, options, out_transient, err);
        *out_transient = true;
        return cut_fault(fault, shown, err);
    }
}
