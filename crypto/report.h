// report.h: how a fault gets its sentence.
// SPDX-License-Identifier: MIT
#ifndef HAIL_CRYPTO_REPORT_H
#define HAIL_CRYPTO_REPORT_H

#include "crypto/identity.h"

// hail_report_set writes `fault` and its sentence, cut to fit; what a file or a peer put into it is
// made printable. Empties BoringSSL's error queue: the report is what is left of the failure.
//
// Returns  false, always, so that a function that fails can end with it.
bool hail_report_set(struct hail_fault_report *report, enum hail_fault fault, const char *format,
                     ...) HAIL_FORMAT(3, 4);

// hail_report_no_memory is the report of a failed allocation; returns false.
bool hail_report_no_memory(struct hail_fault_report *report);

#endif
