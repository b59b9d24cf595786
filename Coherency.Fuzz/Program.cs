using Coherency.Fuzz;
using SharpFuzz;

// coherency-fuzz TARGET            one input after the other from afl-fuzz, which eng/fuzz starts
// coherency-fuzz TARGET FILE...    each of these once: what afl-fuzz has found, say
if (args.Length == 0 || !FuzzTarget.All.TryGetValue(args[0], out Func<FuzzTarget>? make))
{
    Console.Error.WriteLine($"usage: coherency-fuzz {string.Join('|', FuzzTarget.All.Keys)} [FILE...]");
    return 2;
}

if (args.Length == 1)
{
    byte[] input = new byte[FuzzTarget.InputBytesMax];
    FuzzTarget? fuzzed = null;
    Fuzzer.OutOfProcess.Run(stream =>
    {
        // Not before: what is instrumented may run only from here on.
        fuzzed ??= make();
        int length = stream.ReadAtLeast(input, input.Length, throwOnEndOfStream: false);
        fuzzed.Take(input.AsSpan(0, length));
    });
    return 0;
}

using FuzzTarget target = make();
foreach (string file in args[1..])
{
    Console.WriteLine(file);
    target.Take(File.ReadAllBytes(file));
}

return 0;
