#include "datasets/jpeg.h"

#include <csetjmp>
#include <cstdio>
#include <string>

// jpeglib.h needs <cstdio>, and jerror.h needs jpeglib.h.
#include <jerror.h>
#include <jpeglib.h>

namespace duet {
namespace {

// A progressive file of a few kilobytes can hold thousands of scans over a huge picture.
constexpr int kMostScans = 500;

// What libjpeg calls a warning and other programs write as well: decoding is exact all the same.
bool harmless(int code) {
  return code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR ||
         code == JWRN_TOO_MUCH_DATA || code == JWRN_BOGUS_ICC;
}

// libjpeg reports by a jump: between setjmp and the jump no object with a destructor may come into being, so
// all state lives here.
struct Decoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf jump{};
  std::string why;
  Image image;

  Decoder() {
    info.err = jpeg_std_error(&errors);
    info.client_data = this;
    errors.error_exit = [](j_common_ptr common) { of(common).leave(common, "JPEG that libjpeg refuses: "); };
    errors.emit_message = [](j_common_ptr common, int level) {
      if (level < 0 && !harmless(common->err->msg_code)) of(common).leave(common, "damaged JPEG: ");
    };
    errors.output_message = [](j_common_ptr) {};
    progress.progress_monitor = [](j_common_ptr common) {
      Decoder& self = of(common);
      if (self.info.input_scan_number <= kMostScans) return;
      self.why = "damaged JPEG: too many scans";
      std::longjmp(self.jump, 1);
    };
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { jpeg_destroy_decompress(&info); }

  static Decoder& of(j_common_ptr common) { return *static_cast<Decoder*>(common->client_data); }

  [[noreturn]] void leave(j_common_ptr common, const char* what) {
    const int code = common->err->msg_code;
    if (code == JWRN_JPEG_EOF || code == JERR_INPUT_EOF || code == JERR_INPUT_EMPTY) {
      why = "truncated JPEG";
    } else {
      char text[JMSG_LENGTH_MAX];
      common->err->format_message(common, text);
      why = std::string(what) + text;
    }
    std::longjmp(jump, 1);
  }

  bool decode(std::span<const std::byte> bytes, int enough);
  void read_rgb();
  void read_cmyk();
};

void Decoder::read_rgb() {
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = image.row(static_cast<int>(info.output_scanline));
    jpeg_read_scanlines(&info, &row, 1);
  }
}

void Decoder::read_cmyk() {
  JSAMPARRAY inks =
      info.mem->alloc_sarray(reinterpret_cast<j_common_ptr>(&info), JPOOL_IMAGE, info.output_width * 4, 1);
  const int flip = info.saw_Adobe_marker ? 0 : 255;  // Adobe stores the inks inverted: 255 is no ink
  while (info.output_scanline < info.output_height) {
    std::uint8_t* pixel = image.row(static_cast<int>(info.output_scanline));
    jpeg_read_scanlines(&info, inks, 1);
    const JSAMPLE* ink = inks[0];
    for (JDIMENSION x = 0; x < info.output_width; ++x, pixel += 3, ink += 4)
      for (int c = 0; c < 3; ++c)
        pixel[c] = static_cast<std::uint8_t>(((ink[c] ^ flip) * (ink[3] ^ flip) + 127) / 255);
  }
}

bool Decoder::decode(std::span<const std::byte> bytes, int enough) {
  if (setjmp(jump) != 0) return false;
  jpeg_create_decompress(&info);
  info.progress = &progress;
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&info, TRUE);
  const bool inks = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = inks ? JCS_CMYK : JCS_RGB;
  const int shorter =
      static_cast<int>(info.image_width < info.image_height ? info.image_width : info.image_height);
  info.scale_num = 1;
  info.scale_denom = 1;
  for (int by = 8; by > 1 && enough > 0 && info.scale_denom == 1; by /= 2)
    if ((shorter + by - 1) / by >= enough) info.scale_denom = static_cast<unsigned>(by);
  jpeg_start_decompress(&info);
  image.width = static_cast<int>(info.output_width);
  image.height = static_cast<int>(info.output_height);
  image.rgb.resize(image.offset(image.height));
  if (inks) {
    read_cmyk();
  } else {
    read_rgb();
  }
  jpeg_finish_decompress(&info);  // reads up to the end marker: the last place where a cut shows
  return true;
}

}  // namespace

Image decode_jpeg(std::span<const std::byte> bytes, int enough) {
  Decoder decoder;
  if (!decoder.decode(bytes, enough)) throw BadImage(decoder.why);
  return std::move(decoder.image);
}

}  // namespace duet
