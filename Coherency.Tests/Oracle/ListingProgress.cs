namespace Coherency.Tests.Oracle;

/// <summary>Which listings were begun before a name was changed somewhere.</summary>
internal sealed class ListingProgress
{
    private static readonly string[] ChangesNames = ["open", "link", "linkfd", "symlink", "rename", "unlink", "rmdir", "mkdir", "mknod"];

    private readonly Dictionary<(int Actor, string Register), int> _begun = [];
    private int _step;
    private int _lastChange;

    /// <summary>Takes a call and the reference's answer; true when it goes on with a listing that is older than a change.</summary>
    public bool Note(Call call, string answer)
    {
        _step++;
        string[] words = call.Text.Split(' ');
        if (call.Name is "open" or "rewind")
        {
            _begun[(call.Actor, words[1])] = _step;
        }

        if (ChangesNames.Contains(call.Name) && answer is "0" or "ok"
            && (call.Name != "open" || call.Text.Contains("creat", StringComparison.Ordinal)))
        {
            _lastChange = _step;
        }

        return call.Name is "readdir" or "resume" && _begun.GetValueOrDefault((call.Actor, words[1])) <= _lastChange;
    }
}
