// What is inside a cubin, an ELF file with a section of code and one of facts for each kernel: enough to see that it is for a card and
// that its kernels have the parameters of their sources. NVIDIA does not publish the format; binary tools that it ships print these facts.
#pragma once

#include <cstdint>
#include <cstring>
#include <elf.h>
#include <map>
#include <string>
#include <vector>

namespace cubin {

inline bool is_one(const void* image) { return memcmp(image, ELFMAG, SELFMAG) == 0; }

// 87 for compute capability 8.7. The place of the number has changed with CUDA 13.
inline unsigned card(const char* image) {
    const auto* header = (const Elf64_Ehdr*)image;
    return (header->e_ident[EI_ABIVERSION] >= 8 ? header->e_flags >> 8 : header->e_flags) & 0xff;
}

// Bytes of each parameter of each kernel.
inline std::map<std::string, std::vector<size_t>> kernels(const char* image) {
    const std::string facts = ".nv.info.";
    const auto* header = (const Elf64_Ehdr*)image;
    const auto* sections = (const Elf64_Shdr*)(image + header->e_shoff);
    const char* names = image + sections[header->e_shstrndx].sh_offset;
    std::map<std::string, std::vector<size_t>> found;
    for (unsigned i = 0; i < header->e_shnum; i++) {
        const std::string name = names + sections[i].sh_name;
        if (name.compare(0, facts.size(), facts) != 0) continue;
        std::map<uint16_t, size_t> parameters;
        const char *at = image + sections[i].sh_offset, *end = at + sections[i].sh_size;
        while (at < end) {
            // Format 4 has a length and so many bytes behind it, the others have two bytes.
            uint16_t size = 0;
            if (at[0] == 4) memcpy(&size, at + 2, 2);
            if (at[0] == 4 && at[1] == 0x17) {  // a parameter: which, where, and its size in the upper bits
                uint16_t which;
                uint32_t bits;
                memcpy(&which, at + 8, 2);
                memcpy(&bits, at + 12, 4);
                parameters[which] = bits >> 18;
            }
            at += 4 + size;
        }
        auto& sizes = found[name.substr(facts.size())];
        for (auto& [_, bytes] : parameters) sizes.push_back(bytes);
    }
    return found;
}

}  // namespace cubin
