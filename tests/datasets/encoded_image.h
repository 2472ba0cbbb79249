// Pictures as bytes for the tests of decoding, and what is wrong with them.
#pragma once
#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "datasets/image.h"
#include "scratch.h"

namespace duet::testing {

// The reason of the BadImage that decoding throws; empty where there is none.
inline std::string why(const std::string& bytes, const DecodeOptions& options = {}) {
  try {
    decode_image(bytes_of(bytes), options);
  } catch (const BadImage& bad) {
    return bad.what();
  }
  return "";
}

inline std::string by_opencv(const char* extension, const cv::Mat& mat,
                             const std::vector<int>& parameters = {}) {
  std::vector<unsigned char> bytes;
  EXPECT_TRUE(cv::imencode(extension, mat, bytes, parameters));
  return {bytes.begin(), bytes.end()};
}

inline cv::Mat bgr_of(Image image) {
  cv::Mat bgr;
  cv::cvtColor(cv::Mat(image.height, image.width, CV_8UC3, image.rgb.data()), bgr, cv::COLOR_RGB2BGR);
  return bgr;
}

}  // namespace duet::testing
