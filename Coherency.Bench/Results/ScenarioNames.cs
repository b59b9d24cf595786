namespace Coherency.Bench.Results;

/// <summary>Scenarios that the goals speak of, by their names on the command line.</summary>
internal static class ScenarioNames
{
    public const string Lookup = "lookup";
    public const string GetAttr = "getattr";
    public const string OpenRead = "open-read";
    public const string CreateUnlink = "create-unlink";
    public const string ReadDirPlus = "readdirplus";
    public const string SequentialRead = "seq-read";
    public const string SequentialWrite = "seq-write";

    public const string GitStatus = "git-status";
    public const string Find = "find";
    public const string MakeNothing = "make-nothing";
}
