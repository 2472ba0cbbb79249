// The methods, one a file; method.cpp's table names them.
#pragma once
#include "adaptation/method.h"

namespace duet {

// Linear maps of what the frozen towers say.
Adapted fit_nearest_centroid(const AdaptationTask& task, const Part& support, const Part& validation,
                             std::uint64_t seed);
Adapted fit_linear_probe(const AdaptationTask& task, const Part& support, const Part& validation,
                         std::uint64_t seed);
Adapted fit_ridge(const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t seed);
// They read the classes' names too.
Adapted fit_text_probe(const AdaptationTask& task, const Part& support, const Part& validation,
                       std::uint64_t seed);
Adapted fit_lp_blend(const AdaptationTask& task, const Part& support, const Part& validation,
                     std::uint64_t seed);

// What the frozen towers say, and the classes' names.
Adapted fit_tip_adapter(const AdaptationTask& task, const Part& support, const Part& validation,
                        std::uint64_t seed);
Adapted fit_tip_adapter_f(const AdaptationTask& task, const Part& support, const Part& validation,
                          std::uint64_t seed);
Adapted fit_laplacian_shot(const AdaptationTask& task, const Part& support, const Part& validation,
                           std::uint64_t seed);
Adapted fit_clip_adapter(const AdaptationTask& task, const Part& support, const Part& validation,
                         std::uint64_t seed);
Adapted fit_coop(const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t seed);

// They train a copy of the tower that sees the items.
Adapted fit_lora(const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t seed);
Adapted fit_fine_tune(const AdaptationTask& task, const Part& support, const Part& validation,
                      std::uint64_t seed);
Adapted fit_wise_ft(const AdaptationTask& task, const Part& support, const Part& validation,
                    std::uint64_t seed);

}  // namespace duet
