using System.Collections.Concurrent;
using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// Which regular files a session sees in the memory of its device. Decided when it is first given one and kept until it forgets it: a
/// client throws an inode away that it hears another answer of, with all that it has cached.
/// </summary>
/// <param name="minBytes">Of the smallest such file: each takes a whole range of the window.</param>
internal sealed class DaxFiles(long minBytes)
{
    /// <summary>
    /// What may be executed, which the host could not while it is open for writing, and what loses its set-id bits at a write, which the
    /// daemon would not be told of.
    /// </summary>
    private const uint ModesLeftOut = 0x49 | StatFlags.S_ISUID | StatFlags.S_ISGID;

    /// <summary>What cannot be opened for reading and writing.</summary>
    private const ulong AttributesLeftOut = StatFlags.STATX_ATTR_IMMUTABLE | StatFlags.STATX_ATTR_APPEND | StatFlags.STATX_ATTR_VERITY;

    private readonly ConcurrentDictionary<ulong, bool> _decisions = [];

    /// <summary>Decides, unless that has been done, and has the attributes say so.</summary>
    /// <param name="isPossible">The inode's file system maps what others see at once, and its node id is its own.</param>
    public void Decide(ulong node, bool isPossible, ref statx attributes)
    {
        if ((attributes.stx_mode & StatFlags.S_IFMT) != StatFlags.S_IFREG)
        {
            Show(false, ref attributes);
            return;
        }

        if (!_decisions.TryGetValue(node, out bool isDax))
        {
            bool isWanted = isPossible && attributes.stx_size >= (ulong)minBytes && (attributes.stx_mode & ModesLeftOut) == 0
                && (attributes.stx_attributes & AttributesLeftOut) == 0;
            isDax = _decisions.GetOrAdd(node, isWanted);
        }

        Show(isDax, ref attributes);
    }

    /// <summary>Has the attributes say what was decided.</summary>
    public void Show(ulong node, ref statx attributes) => Show(Contains(node), ref attributes);

    public bool Contains(ulong node) => _decisions.TryGetValue(node, out bool isDax) && isDax;

    public void Forget(ulong node) => _decisions.TryRemove(node, out _);

    private static void Show(bool isDax, ref statx attributes) => attributes.stx_attributes = isDax
        ? attributes.stx_attributes | StatFlags.STATX_ATTR_DAX
        : attributes.stx_attributes & ~StatFlags.STATX_ATTR_DAX;
}
