// report.c: faults by name, and their sentences.
// SPDX-License-Identifier: MIT
#include "crypto/report.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

const char *hail_fault_name(enum hail_fault fault)
{
    switch (fault) {
    case HAIL_FAULT_NONE:
        return "none";
    case HAIL_FAULT_FORMAT:
        return "format";
    case HAIL_FAULT_PASSWORD:
        return "password";
    case HAIL_FAULT_NO_KEY:
        return "no_key";
    case HAIL_FAULT_NO_CERTIFICATE:
        return "no_certificate";
    case HAIL_FAULT_KEY_MISMATCH:
        return "key_mismatch";
    case HAIL_FAULT_KEY_KIND:
        return "key_kind";
    case HAIL_FAULT_NO_TRUST:
        return "no_trust";
    case HAIL_FAULT_EXPIRED:
        return "expired";
    case HAIL_FAULT_NOT_YET_VALID:
        return "not_yet_valid";
    case HAIL_FAULT_UNKNOWN_ISSUER:
        return "unknown_issuer";
    case HAIL_FAULT_WRONG_NAME:
        return "wrong_name";
    case HAIL_FAULT_CHAIN:
        return "chain";
    case HAIL_FAULT_SIGNATURE:
        return "signature";
    case HAIL_FAULT_SYSTEM:
        return "system";
    }
    return "unknown"; // a value that was never one of ours
}

bool hail_report_set(struct hail_fault_report *report, enum hail_fault fault, const char *format,
                     ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(report->text, sizeof report->text, format, args);
    va_end(args);
    for (char *c = report->text; *c; c++) {
        if (*c < 0x20 || *c > 0x7e)
            *c = '?'; // a name in a certificate must not steer the terminal or split a log line
    }
    report->fault = fault;
    ERR_clear_error();
    return false;
}

bool hail_report_no_memory(struct hail_fault_report *report)
{
    return hail_report_set(report, HAIL_FAULT_SYSTEM, "out of memory");
}
