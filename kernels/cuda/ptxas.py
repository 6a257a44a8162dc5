#!/usr/bin/env python3
"""Assembles the committed PTX with NVIDIA's ptxas for every architecture and writes what each kernel takes: registers, spills, local
memory, shared memory, and how many of its blocks a multiprocessor holds. With --compare the table is held against ptxas.txt; spills or
local memory anywhere are an error in any case, and so is a warning: that wgmma is put in sequence (C7510 to C7515), that setmaxnreg is ignored.
With --disassemble the machine code is searched for the instructions that the fast kernels rest on, and must be the same where ptxas may
contract sums and products and where it may not, so that what the PTX machine computes is what a GPU computes.

    ptxas.py FOLDER_OF_PTXAS [--compare] [--disassemble]

FOLDER_OF_PTXAS is the bin folder of the PyPI packages nvidia-cuda-nvcc==13.5.37 and nvidia-cuda-nvdisasm. Occupancy follows the CUDA C++
Programming Guide's limits for each compute capability."""
import os, re, subprocess, sys, tempfile

here = os.path.dirname(os.path.abspath(__file__))
# architecture: threads, blocks, bytes of shared memory that a multiprocessor has; each has 65,536 registers
LIMITS = {"sm_80": (2048, 32, 164), "sm_86": (1536, 16, 100), "sm_89": (1536, 24, 100), "sm_90": (2048, 32, 228),
          "sm_90a": (2048, 32, 228), "sm_100": (2048, 32, 228), "sm_120": (1536, 24, 100)}
# dynamic shared memory as cuda/ asks for it; the float32 attention and delta at their widest
DYNAMIC = {"attention_bf16_64": 40960, "attention_bf16_128": 81920, "attention_bf16_256": 98304, "attention_f32_64": 4 * (48 * 257 + 16 * 65 + 544),
           "attention_f32_128": 4 * (48 * 257 + 16 * 129 + 544), "attention_f32_256": 4 * (48 * 257 + 16 * 257 + 544), "product_bf16": 98304,
           "product_bf16_mid": 32768, "product_bf16_few": 36864, "product_split": 98304, "product_split_wide": 49152, "product_split_mid": 32768,
           "delta": 34 * 4 * 256,
           "product_hopper": 4 * (128 + 256) * 128 + 1088, "product_hopper_half": 4 * (128 + 128) * 128 + 1088}
# and the same with epilogues that reduce their results
REDUCED = ["product_bf16", "product_bf16_mid", "product_hopper", "product_split", "product_split_wide", "product_split_mid"]
DYNAMIC.update({name + suffix: DYNAMIC[name] for name in REDUCED for suffix in ("_sums", "_head")})
TARGETS = {"sm_80": ["sm_80", "sm_86", "sm_89", "sm_90", "sm_90a", "sm_100", "sm_120"], "sm_90a": ["sm_90a"]}
# machine instructions a kernel must hold
WANTED = {"product_bf16": ["HMMA.16816.F32.BF16", "LDGSTS", "LDSM"], "product_bf16_mid": ["HMMA.16816.F32.BF16", "LDGSTS", "LDSM"],
          "product_bf16_few": ["HMMA.16816.F32.BF16", "LDGSTS", "LDSM"], "attention_bf16_64": ["HMMA.16816.F32.BF16", "LDGSTS", "LDSM"],
          "attention_bf16_128": ["HMMA.16816.F32.BF16", "LDGSTS", "LDSM"], "attention_bf16_256": ["HMMA.16816.F32.BF16", "LDGSTS", "LDSM"],
          "product_hopper": ["HGMMA.64x256x16.F32.BF16", "UTMALDG", "SYNCS"], "product_hopper_half": ["HGMMA.64x128x16.F32.BF16", "UTMALDG", "SYNCS"],
          "product_q8_0_few": ["HMMA.16816.F32.BF16", "LDGSTS", "LDSM"], "product_q4_k_few": ["HMMA.16816.F32.BF16", "LDGSTS", "LDSM"]}
WANTED.update({name: WANTED["product_bf16"] for name in DYNAMIC if name.startswith("product_split")})
WANTED.update({name + suffix: WANTED[name] for name in REDUCED for suffix in ("_sums", "_head")})


# what ptxas says where it does otherwise than the source wants
TELLING = re.compile(r"C751[0-5]|setmaxnreg|warning", re.I)


def disassembled(folder, cubin):
    return subprocess.run([os.path.join(folder, "nvdisasm"), "-c", cubin], capture_output=True, text=True, check=True).stdout


def threads_of(ptx):
    found = {}
    for name, rest in re.findall(r"\.entry (\w+)\((.*?)\{", ptx, re.S):
        found[name] = int(re.search(r"\.maxntid (\d+)", rest).group(1))
    return found


def occupancy(arch, threads, registers, shared):
    most, blocks, kilobytes = LIMITS[arch]
    warps = (threads + 31) // 32
    by_registers = 65536 // (warps * ((registers * 32 + 255) // 256 * 256))
    by_shared = kilobytes * 1024 // ((shared + 1024 + 127) // 128 * 128)
    return min(blocks, most // (warps * 32), by_registers, by_shared)


def main():
    folder, options = sys.argv[1], set(sys.argv[2:])
    lines, faults = ["target      arch    kernel                 threads  registers  spills  local  shared  blocks"], []
    for file in sorted(os.listdir(os.path.join(here, "ptx"))):
        path = os.path.join(here, "ptx", file)
        threads, target = threads_of(open(path).read()), file.split(".")[1]
        for arch in TARGETS[target]:
            with tempfile.TemporaryDirectory() as scratch:
                cubin = os.path.join(scratch, "x.cubin")
                run = subprocess.run([os.path.join(folder, "ptxas"), "-v", "-arch=" + arch, path, "-o", cubin], capture_output=True, text=True)
                if run.returncode:
                    sys.exit("%s for %s: %s" % (file, arch, run.stderr))
                faults += ["%s for %s: %s" % (file, arch, line) for line in run.stderr.splitlines() if TELLING.search(line)]
                if "--disassemble" in options and arch in ("sm_80", "sm_90", "sm_90a"):
                    code = disassembled(folder, cubin)
                    for free in ("true", "false"):
                        subprocess.run([os.path.join(folder, "ptxas"), "-fmad=" + free, "-arch=" + arch, path, "-o", cubin], check=True)
                        if disassembled(folder, cubin) != code:
                            faults.append("%s for %s: other machine code with -fmad=%s" % (file, arch, free))
                    for name, body in re.findall(r"\.text\.(\w+):\n(.*?)(?=\n\.section|\Z|\n\.text\.)", code, re.S):
                        for wanted in WANTED.get(name, []):
                            if wanted not in body:
                                faults.append("%s on %s: no %s" % (name, arch, wanted))
            for name, stack, spills, loads, registers, smem in parse(run.stderr):
                shared = int(smem or 0) + DYNAMIC.get(name, 0)
                lost = int(spills) + int(loads)
                if lost or int(stack):
                    faults.append("%s on %s: %d bytes of spills, %s of local memory" % (name, arch, lost, stack))
                held = occupancy(arch, threads[name], int(registers), shared)
                row = (target, arch, name, threads[name], registers, lost, stack, shared, held)
                lines.append("%-11s %-7s %-22s %7d  %9s  %6d  %5s  %6d  %6d" % row)
    head, body = lines[0], sorted(lines[1:])
    table = "\n".join([head] + body) + "\n"
    kept = os.path.join(here, "ptxas.txt")
    if "--compare" in options:
        if open(kept).read() != table:
            faults.append("ptxas.txt differs from what ptxas says now; run ptxas.py without --compare and look at the change")
    else:
        open(kept, "w").write(table)
    if faults:
        sys.exit("\n".join(faults))


def parse(text):
    found = []
    for part in text.split("Function properties for ")[1:]:
        name = part.split()[0]
        stack, spills, loads = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", part).groups()
        registers = re.search(r"Used (\d+) registers", part).group(1)
        smem = re.search(r"(\d+) bytes smem", part)
        found.append((name, stack, spills, loads, registers, smem and smem.group(1)))
    return found


if __name__ == "__main__":
    main()
