using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// An O_PATH descriptor of an inode for one request. It must not outlive the <see cref="PinnedInode"/> it was got for.
/// </summary>
internal readonly ref struct PinnedDescriptor
{
    private readonly DescriptorCache? _cache;
    private readonly DescriptorBudget? _budget;
    private readonly int _place;

    private PinnedDescriptor(int fd, DescriptorCache? cache, DescriptorBudget? budget, int place)
    {
        Fd = fd;
        _cache = cache;
        _budget = budget;
        _place = place;
    }

    /// <summary>The descriptor, or -errno.</summary>
    public int Fd { get; }

    public Errno Errno => Fd.ToErrno();

    public static PinnedDescriptor Failed(Errno errno) => new(-(int)errno, null, null, 0);

    /// <summary>Open at least as long as the inode is referenced.</summary>
    public static PinnedDescriptor Owned(int fd) => new(fd, null, null, 0);

    public static PinnedDescriptor Cached(int fd, DescriptorCache cache, int place) => new(fd, cache, null, place);

    /// <summary>Closed after use; it was taken from the budget.</summary>
    public static PinnedDescriptor Temporary(int fd, DescriptorBudget budget) => new(fd, null, budget, 0);

    public void Dispose()
    {
        _cache?.Unpin(_place);
        if (_budget is not null)
        {
            Libc.Close(Fd);
            _budget.Return();
        }
    }
}
