// Hands the command line over to the engine, the program that links LibTorch and OpenCV.
#pragma once

namespace duet {

// Replaces this process by $DUET_ENGINE or libexec/duet/duet-engine beside the folder of this program, wherever
// the tree was moved. Returns only by an exception: Error(failed) naming the places looked at.
[[noreturn]] void become_engine(char** argv);

}  // namespace duet
