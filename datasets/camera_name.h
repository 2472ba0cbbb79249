// Names that cameras and programs give to files, which as captions would teach nothing.
#pragma once
#include <string_view>

namespace duet {

// "IMG_1234", "DSC0001.JPG", "2024-05-01 12.30.11", "Screenshot from 2024-05-01", "000123", a UUID.
bool is_camera_name(std::string_view caption);

}  // namespace duet
