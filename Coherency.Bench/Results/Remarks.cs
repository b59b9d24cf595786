namespace Coherency.Bench.Results;

/// <summary>Remarks on an observation that reports must understand.</summary>
internal static class Remarks
{
    /// <summary>Begins a remark on a program that did not do what it should have done: its time is no achievement.</summary>
    public const string Wrong = "wrong: ";

    public static bool SaysWrong(string remark) => remark.Contains(Wrong, StringComparison.Ordinal);
}
