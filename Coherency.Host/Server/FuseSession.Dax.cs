using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Server;

/// <summary>Parts of files that the client sees in the memory of its device (docs/dax.md).</summary>
public sealed partial class FuseSession
{
    private const FuseInitFlags DaxFlags = FuseInitFlags.MapAlignment | FuseInitFlags.HasInodeDax;

    /// <summary>Of FUSE_INIT: a logarithm, of pages. Linux asks for more by itself.</summary>
    private const ushort MapAlignment = 12;

    /// <summary>Most of one request, as Linux has it.</summary>
    private const uint RemovalsMax = 256;

    private volatile IDaxWindow? _window;
    private volatile MappedRanges? _mapped;

    /// <summary>Ranges of the window that show parts of files.</summary>
    public int MappedRangeCount => _mapped?.Count ?? 0;

    /// <summary>Bytes of the window that the client may use; 0 for none.</summary>
    public long DaxWindowBytes => _granted.HasFlag(DaxFlags) ? _window?.Bytes ?? 0 : 0;

    /// <summary>The client has such a window from now on, or no more; it is told at the next INIT.</summary>
    internal void UseWindow(IDaxWindow? window) => _window = window;

    /// <summary>Whether the client says that it would use a window, and takes the daemon's word for which files.</summary>
    private bool CanUseWindow(FuseInitFlags offered) =>
        _options.Dax is not null && _window is { IsUsable: true } && (offered & DaxFlags) == DaxFlags;

    /// <summary>A client that wants all files in the window, and takes no answer, gets a mount that fails, and not files that do.</summary>
    private bool RefusesDax(FuseInitFlags offered)
    {
        bool isForced = offered.HasFlag(FuseInitFlags.MapAlignment) && !offered.HasFlag(FuseInitFlags.HasInodeDax);
        if (isForced && _initLog.Allows(out long unsaid))
        {
            LogForcedDax(_log, unsaid);
        }
        else if (!isForced && _options.Dax is not null && !CanUseWindow(offered) && _initLog.Allows(out unsaid))
        {
            bool hasWindow = offered.HasFlag(FuseInitFlags.MapAlignment);
            string reason = hasWindow ? "the VMM has not shown that it maps" : "the guest has no window, or mounts with dax=never";
            LogNoWindow(_log, reason, unsaid);
        }

        return isForced;
    }

    private void BeginMapping(IFileSystem files)
    {
        if (_granted.HasFlag(DaxFlags) && _window is { } window && files.TryShowDax(_options.Dax!.MinBytes))
        {
            _mapped = new MappedRanges(window);
        }
    }

    private Errno SetupMapping(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_setupmapping_in arguments))
        {
            return reader.Error;
        }

        if (_mapped is not { } mapped || _window is not { } window)
        {
            return Errno.EIO;
        }

        if (!IsRange(window, arguments.moffset, arguments.len) || (arguments.moffset + arguments.len) > (ulong)window.Bytes
            || !IsRange(window, arguments.foffset, arguments.len)
            || ((FuseSetupMappingFlags)arguments.flags & ~(FuseSetupMappingFlags.Read | FuseSetupMappingFlags.Write)) != 0)
        {
            return Errno.EINVAL;
        }

        bool stores = ((FuseSetupMappingFlags)arguments.flags).HasFlag(FuseSetupMappingFlags.Write);
        return SetupMapping(request, files, mapped, (long)arguments.moffset, (long)arguments.foffset, stores);
    }

    /// <summary>Linux maps ranges whole, and where no two of them overlap nobody has to look.</summary>
    private static bool IsRange(IDaxWindow window, ulong offset, ulong length) =>
        length == (ulong)window.RangeBytes && offset % length == 0 && offset <= (ulong)long.MaxValue - length;

    private Errno SetupMapping(
        FuseRequest request, IFileSystem files, MappedRanges mapped, long offset, long fileOffset, bool stores)
    {
        Errno errno = stores ? files.PrepareStores(request.Node, fileOffset, _window!.RangeBytes) : Errno.None;
        if (errno != Errno.None)
        {
            return errno;
        }

        // A range that is read first and then stored to: the daemon's front ends map all of them for both.
        if (mapped.Has(offset, request.Node, fileOffset) && files.Holds(request.Node))
        {
            EndWait(request, Errno.None);
            return Errno.None;
        }

        // Of what was mapped before, too, whether it still may be: who may is asked each time.
        errno = files.OpenForMapping(request.Node, out int fd);
        if (errno != Errno.None)
        {
            return errno;
        }

        // Also where the books have one: its last range may be removed meanwhile.
        int lent = _options.Dax!.Lender.Lend(fd);
        _ = Libc.Close(fd);
        if (lent < 0)
        {
            return ToMappingError(lent.ToErrno());
        }

        request.Channel.Park(request);
        mapped.Map(request, offset, fileOffset, lent, EndWait);
        return Errno.None;
    }

    /// <summary>EAGAIN would make a page fault try again for ever, ENOMEM have the guest look for a process to kill.</summary>
    private static Errno ToMappingError(Errno error) => error is Errno.EAGAIN or Errno.ENOMEM ? Errno.EIO : error;

    private Errno RemoveMapping(FuseRequest request)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_removemapping_in arguments) || arguments.count is 0 or > RemovalsMax)
        {
            return Errno.EINVAL;
        }

        bool wereMapped = true;
        for (uint i = 0; i < arguments.count; i++)
        {
            if (!reader.TryRead(out fuse_removemapping_one one))
            {
                return Errno.EINVAL;
            }

            wereMapped &= one.moffset <= long.MaxValue && _mapped?.Unmap((long)one.moffset) == true;
        }

        return wereMapped ? ReplyOnSuccess(request, Errno.None) : Errno.EINVAL;
    }

    /// <summary>A client that keeps a range of what it has forgotten is none of Linux's.</summary>
    private void UnmapForgotten(IFileSystem files, NodeId node)
    {
        if (_mapped is { } mapped && mapped.HasFile(node) && !files.Holds(node))
        {
            mapped.UnmapFile(node);
        }
    }

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "The client mounts with dax=always, which leaves no file out: mount without an option, and serve decides by --dax " +
            "({Unsaid} more lines of this kind were left out)")]
    private static partial void LogForcedDax(ILogger log, long unsaid);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "No file will be in the DAX window: {Reason} ({Unsaid} more lines of this kind were left out)")]
    private static partial void LogNoWindow(ILogger log, string reason, long unsaid);
}
