#include "datasets/image.h"

#include <gmock/gmock.h>
#include <jpeglib.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "core/format.h"
#include "core/random.h"
#include "datasets/image_header.h"
#include "encoded_image.h"
#include "scratch.h"

namespace duet {
namespace {

using namespace std::string_literals;
using testing::bgr_of;
using testing::by_opencv;
using testing::bytes_of;
using testing::pixel;
using testing::Scratch;
using testing::test_image;
using testing::why;

Image decode(const std::string& bytes, int enough = 0) {
  return decode_image(bytes_of(bytes), {.enough = enough});
}

void expect_near(const std::vector<int>& got, const std::vector<int>& want, int tolerance) {
  for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(got[c], want[c], tolerance) << "channel " << c;
}

// hand-made files

std::string big(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes; i-- > 0;) text += static_cast<char>(value >> (8 * i) & 0xFF);
  return text;
}
std::string little(std::uint32_t value, int bytes) {
  const std::string text = big(value, bytes);
  return {text.rbegin(), text.rend()};
}

std::string png_chunk(const std::string& name, const std::string& data) {
  std::uint32_t crc = ~0U;
  for (const char c : name + data) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320U : 0U);
  }
  return big(static_cast<std::uint32_t>(data.size()), 4) + name + data + big(~crc, 4);
}

// `rows`: filter byte and samples of each row; deflate by one stored block.
std::string hand_png(std::uint32_t width, std::uint32_t height, int depth, int color_type,
                     const std::string& extra_chunks, const std::string& rows) {
  std::uint32_t a = 1, b = 0;
  for (const char c : rows) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  const auto length = static_cast<std::uint32_t>(rows.size());
  const std::string stream =
      "\x78\x01\x01"s + little(length, 2) + little(~length & 0xFFFF, 2) + rows + big(b << 16 | a, 4);
  const std::string header =
      big(width, 4) + big(height, 4) + static_cast<char>(depth) + static_cast<char>(color_type) + "\0\0\0"s;
  return "\x89PNG\r\n\x1A\n"s + png_chunk("IHDR", header) + extra_chunks + png_chunk("IDAT", stream) +
         png_chunk("IEND", "");
}

std::string exif(int orientation, bool intel) {
  const auto number = [&](std::uint32_t value, int bytes) {
    return intel ? little(value, bytes) : big(value, bytes);
  };
  const auto value = static_cast<std::uint32_t>(orientation);
  return (intel ? "II"s : "MM"s) + number(42, 2) + number(8, 4) + number(2, 2) +  //
         number(0x010F, 2) + number(2, 2) + number(2, 4) + "ab\0\0"s +            // another tag first
         number(0x0112, 2) + number(3, 2) + number(1, 4) + number(value, 2) + number(0, 2) +  //
         number(0, 4);
}

std::string insert_app1(const std::string& jpeg, const std::string& tiff) {
  const std::string body = "Exif\0\0"s + tiff;
  return jpeg.substr(0, 2) + "\xFF\xE1" + big(static_cast<std::uint32_t>(body.size() + 2), 2) + body +
         jpeg.substr(2);
}

std::string insert_exif_chunk(const std::string& png, const std::string& tiff) {
  constexpr std::size_t kAfterHeader = 8 + 25;
  return png.substr(0, kAfterHeader) + png_chunk("eXIf", tiff) + png.substr(kAfterHeader);
}

// A JPEG of 16 x 16 equal four-ink pixels.
std::string ink_jpeg(const std::array<unsigned char, 4>& inks, J_COLOR_SPACE space, bool adobe) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &out, &size);
  info.image_width = info.image_height = 16;
  info.input_components = 4;
  info.in_color_space = JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, space);
  jpeg_set_quality(&info, 100, TRUE);
  info.write_Adobe_marker = adobe ? TRUE : FALSE;
  jpeg_start_compress(&info, TRUE);
  std::vector<unsigned char> row;
  for (int x = 0; x < 16; ++x) row.insert(row.end(), inks.begin(), inks.end());
  JSAMPROW line = row.data();
  while (info.next_scanline < info.image_height) jpeg_write_scanlines(&info, &line, 1);
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string jpeg(reinterpret_cast<char*>(out), size);
  std::free(out);
  return jpeg;
}

// kinds of pixels

TEST(Image, PngKeepsEveryPixel) {
  const Image image = test_image(13, 7);
  const Image back = decode(png_bytes(image));
  EXPECT_EQ(back.width, 13);
  EXPECT_EQ(back.height, 7);
  EXPECT_EQ(back.rgb, image.rgb);
}

TEST(Image, GreyBecomesThreeEqualChannels) {
  cv::Mat grey(2, 3, CV_8UC1, cv::Scalar(77));
  EXPECT_EQ(pixel(decode(by_opencv(".png", grey)), 1, 1), (std::vector{77, 77, 77}));
  EXPECT_EQ(pixel(decode(by_opencv(".jpg", grey)), 1, 1), (std::vector{77, 77, 77}));
  // One bit a pixel: black, white, black.
  const Image bits = decode(hand_png(3, 1, 1, 0, "", "\0\x40"s));
  EXPECT_EQ(pixel(bits, 0, 0), (std::vector{0, 0, 0}));
  EXPECT_EQ(pixel(bits, 1, 0), (std::vector{255, 255, 255}));
}

TEST(Image, AlphaIsPutOnWhite) {
  cv::Mat bgra(1, 3, CV_8UC4);
  bgra.at<cv::Vec4b>(0, 0) = {0, 0, 255, 255};
  bgra.at<cv::Vec4b>(0, 1) = {0, 0, 255, 128};
  bgra.at<cv::Vec4b>(0, 2) = {0, 0, 255, 0};
  const std::vector<std::string> files = {by_opencv(".png", bgra),
                                          by_opencv(".webp", bgra, {cv::IMWRITE_WEBP_QUALITY, 101})};
  for (const std::string& file : files) {
    const Image image = decode(file);
    EXPECT_EQ(pixel(image, 0, 0), (std::vector{255, 0, 0}));
    EXPECT_EQ(pixel(image, 1, 0), (std::vector{255, 127, 127}));
    EXPECT_EQ(pixel(image, 2, 0), (std::vector{255, 255, 255}));
  }
  // Grey and alpha.
  EXPECT_EQ(pixel(decode(hand_png(1, 1, 8, 4, "", "\0\0\x80"s)), 0, 0), (std::vector{127, 127, 127}));
}

TEST(Image, SixteenBitsAreRounded) {
  cv::Mat deep(1, 2, CV_16UC3);
  deep.at<cv::Vec3w>(0, 0) = {65535, 0, 257 * 100};        // blue, green, red
  deep.at<cv::Vec3w>(0, 1) = {257 * 9 + 200, 128, 32768};  // 9.78, .498, 127.5
  const Image image = decode(by_opencv(".png", deep));
  EXPECT_EQ(pixel(image, 0, 0), (std::vector{100, 0, 255}));
  expect_near(pixel(image, 1, 0), {128, 0, 10}, 0);
}

TEST(Image, PaletteWithAndWithoutTransparency) {
  const std::string palette = png_chunk("PLTE", "\x0A\x14\x1E\xFF\0\0"s);
  const Image opaque = decode(hand_png(2, 1, 8, 3, palette, "\0\0\1"s));
  EXPECT_EQ(pixel(opaque, 0, 0), (std::vector{10, 20, 30}));
  EXPECT_EQ(pixel(opaque, 1, 0), (std::vector{255, 0, 0}));
  const Image clear = decode(hand_png(2, 1, 8, 3, palette + png_chunk("tRNS", "\0"s), "\0\0\1"s));
  EXPECT_EQ(pixel(clear, 0, 0), (std::vector{255, 255, 255}));
  EXPECT_EQ(pixel(clear, 1, 0), (std::vector{255, 0, 0}));
}

TEST(Image, FourInksBecomeRgb) {
  // 200, 100, 50 of 255 in light, black ink none: Adobe stores light, the others ink.
  for (const J_COLOR_SPACE space : {JCS_CMYK, JCS_YCCK})
    expect_near(pixel(decode(ink_jpeg({200, 100, 50, 255}, space, true)), 8, 8), {200, 100, 50}, 2);
  expect_near(pixel(decode(ink_jpeg({55, 155, 205, 0}, JCS_CMYK, false)), 8, 8), {200, 100, 50}, 2);
  expect_near(pixel(decode(ink_jpeg({0, 0, 0, 255}, JCS_CMYK, false)), 8, 8), {0, 0, 0}, 2);
}

TEST(Image, BmpAndWebp) {
  const Image image = test_image(5, 4);
  EXPECT_EQ(decode(by_opencv(".bmp", bgr_of(image))).rgb, image.rgb);
  EXPECT_EQ(decode(by_opencv(".webp", bgr_of(image), {cv::IMWRITE_WEBP_QUALITY, 101})).rgb, image.rgb);
}

// orientation: where EXIF says the stored pixel (x, y) of a w x h picture is to be seen

TEST(Image, AllExifOrientations) {
  const int w = 5, h = 3;
  const Image stored = test_image(w, h);
  const std::vector<std::function<cv::Point(int, int)>> seen_at = {
      [](int x, int y) { return cv::Point(x, y); },
      [&](int x, int y) { return cv::Point(w - 1 - x, y); },
      [&](int x, int y) { return cv::Point(w - 1 - x, h - 1 - y); },
      [&](int x, int y) { return cv::Point(x, h - 1 - y); },
      [](int x, int y) { return cv::Point(y, x); },
      [&](int x, int y) { return cv::Point(h - 1 - y, x); },
      [&](int x, int y) { return cv::Point(h - 1 - y, w - 1 - x); },
      [&](int x, int y) { return cv::Point(y, w - 1 - x); }};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image image = decode(insert_exif_chunk(png_bytes(stored), exif(orientation, orientation % 2 == 0)));
    ASSERT_EQ(image.width, orientation >= 5 ? h : w) << orientation;
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) {
        const cv::Point at = seen_at[static_cast<std::size_t>(orientation - 1)](x, y);
        EXPECT_EQ(pixel(image, at.x, at.y), pixel(stored, x, y)) << orientation << ": " << x << ", " << y;
      }
  }
}

TEST(Image, ExifOfJpegIsAppliedAndNonsenseIsIgnored) {
  Image image = blank_image(32, 16);
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 16; ++x) image.row(y)[3 * x + 1] = image.row(y)[3 * x + 2] = 0;  // the left half red
  const std::string jpeg = jpeg_bytes(image, 95);
  for (const bool intel : {true, false}) {
    const Image turned = decode(insert_app1(jpeg, exif(6, intel)));  // 90 degrees clockwise: left goes up
    ASSERT_EQ(turned.width, 16);
    ASSERT_EQ(turned.height, 32);
    expect_near(pixel(turned, 8, 4), {255, 0, 0}, 12);
    expect_near(pixel(turned, 8, 28), {255, 255, 255}, 12);
  }
  EXPECT_EQ(decode(insert_app1(jpeg, exif(9, true))).width, 32);
  EXPECT_EQ(decode(insert_app1(jpeg, exif(6, true).substr(0, 20))).width, 32);
  EXPECT_EQ(decode(insert_app1(jpeg, "II*\0\xFF\xFF\xFF\xFF"s)).width, 32);
}

// scaled decoding

TEST(Image, JpegsAreDecodedAtTheSmallestScaleThatIsEnough) {
  const std::string jpeg = jpeg_bytes(blank_image(801, 600, 90), 90);
  const auto size = [&](int enough) {
    return std::pair(decode(jpeg, enough).width, decode(jpeg, enough).height);
  };
  EXPECT_EQ(size(0), std::pair(801, 600));
  EXPECT_EQ(size(601), std::pair(801, 600));
  EXPECT_EQ(size(301), std::pair(801, 600));
  EXPECT_EQ(size(300), std::pair(401, 300));
  EXPECT_EQ(size(100), std::pair(201, 150));
  EXPECT_EQ(size(75), std::pair(101, 75));
  EXPECT_EQ(size(1), std::pair(101, 75));
  expect_near(pixel(decode(jpeg, 75), 50, 40), {90, 90, 90}, 1);
}

// what is refused

TEST(Image, OtherTypesAreNamed) {
  const auto iso = [](const char* brand) { return "\0\0\0\x18"s + "ftyp" + brand + "\0\0\0\0"s; };
  EXPECT_EQ(why(iso("heic")), "is a HEIC picture, which is not supported; convert it to JPEG or PNG");
  EXPECT_EQ(why(iso("avif")), "is an AVIF picture, which is not supported; convert it to JPEG or PNG");
  EXPECT_THAT(why(iso("isom")), ::testing::HasSubstr("a video"));
  EXPECT_THAT(why("II*\0\x08\0\0\0"s), ::testing::HasSubstr("a TIFF picture"));
  EXPECT_THAT(why("%PDF-1.7"), ::testing::HasSubstr("a PDF document"));
  EXPECT_THAT(why("\xEF\xBB\xBF\n<!DOCTYPE html><html>"), ::testing::HasSubstr("an HTML page"));
  EXPECT_THAT(why("<?xml version=\"1.0\"?>\n<svg xmlns="), ::testing::HasSubstr("an SVG drawing"));
  EXPECT_THAT(why("hello"), ::testing::HasSubstr("is no picture"));
  EXPECT_THAT(why("\xFF\xD8"), ::testing::HasSubstr("is no picture"));
  EXPECT_EQ(why(""), "empty file");
}

TEST(Image, GifIsReadOrNamed) {
  // One pixel, two colours: the smallest GIF there is.
  const std::string gif = "GIF89a\1\0\1\0\x80\0\0\0\0\0\xFF\xFF\xFF,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"s;
  if (CV_VERSION_MAJOR * 100 + CV_VERSION_MINOR < 411) {
    EXPECT_EQ(why(gif), "is a GIF, which OpenCV " CV_VERSION " does not read; convert it to PNG");
  } else {
    EXPECT_EQ(decode(gif).width, 1);
  }
}

TEST(Image, SizeIsCheckedBeforePixelsAreMade) {
  const std::string many = "40000 x 40000 pixels, more than data.max_pixels = 100000000";
  EXPECT_EQ(why(hand_png(40000, 40000, 8, 2, "", "\0"s)), many);
  EXPECT_THAT(why(hand_png(0xFFFFFFFF, 0xFFFFFFFF, 8, 2, "", "\0"s)),
              ::testing::HasSubstr("4294967295 x 4294967295 pixels"));
  std::string jpeg = jpeg_bytes(test_image(16, 16), 90);
  const std::size_t frame = jpeg.find("\xFF\xC0");
  jpeg.replace(frame + 5, 4, big(40000, 2) + big(40000, 2));
  EXPECT_EQ(why(jpeg), many);
  EXPECT_EQ(why("BM"s + little(54, 4) + little(0, 4) + little(54, 4) + little(40, 4) + little(40000, 4) +
                little(static_cast<std::uint32_t>(-40000), 4) + std::string(28, '\0')),
            many);
  EXPECT_EQ(why("GIF89a" + little(40000, 2) + little(40000, 2)), many);
  const std::string canvas =
      "WEBPVP8X"s + little(10, 4) + std::string(4, '\0') + little(39999, 3) + little(39999, 3);
  EXPECT_EQ(why("RIFF" + little(static_cast<std::uint32_t>(canvas.size()), 4) + canvas), many);
  EXPECT_EQ(why(png_bytes(test_image(11, 10)), {.max_pixels = 109}),
            "11 x 10 pixels, more than data.max_pixels = 109");
  EXPECT_EQ(why(png_bytes(test_image(11, 10)), {.max_pixels = 110}), "");
}

TEST(Image, NoPixelsAreDamage) { EXPECT_EQ(why(hand_png(0, 5, 8, 2, "", "\0"s)), "damaged PNG: no pixels"); }

TEST(Image, AnimatedWebpIsNamed) {
  const std::string canvas = "WEBPVP8X"s + little(10, 4) + "\2\0\0\0"s + little(3, 3) + little(3, 3);
  EXPECT_THAT(why("RIFF" + little(static_cast<std::uint32_t>(canvas.size()), 4) + canvas),
              ::testing::HasSubstr("animated WebP"));
}

TEST(Image, FilesThatAreNoPictures) {
  const Scratch scratch;
  const auto why_not = [](const std::filesystem::path& path) {
    try {
      load_image(path, {});
    } catch (const BadImage& bad) {
      return std::string(bad.what());
    }
    return std::string();
  };
  EXPECT_EQ(why_not(scratch.folder() / "none.jpg"), "no such file");
  EXPECT_EQ(why_not(scratch.folder()), "is a directory");
  EXPECT_EQ(why_not(scratch.write("zero.png", "")), "empty file");
  EXPECT_EQ(why_not("/dev/null"), "is no regular file");
  EXPECT_EQ(why_not(scratch.write("page.jpg", "<html>404</html>")),
            "is an HTML page, which is not supported; the download failed: fetch it again");
  std::filesystem::permissions(scratch.write("locked.png", png_bytes(test_image(3, 3))),
                               std::filesystem::perms::none);
  if (::geteuid() != 0) {
    EXPECT_EQ(why_not(scratch.folder() / "locked.png"), "cannot be read: Permission denied");
  }
}

TEST(Image, TypeIsFoundByContentNotByName) {
  const Scratch scratch;
  write_png(scratch.folder() / "really a png.jpg", test_image(6, 5));
  EXPECT_EQ(load_image(scratch.folder() / "really a png.jpg", {}).rgb, test_image(6, 5).rgb);
}

TEST(Image, JpegBytesAreCloseToThePicture) {
  const Image back = decode(jpeg_bytes(blank_image(20, 10, 120), 90));
  EXPECT_EQ(back.width, 20);
  expect_near(pixel(back, 10, 5), {120, 120, 120}, 1);
}

}  // namespace
}  // namespace duet
