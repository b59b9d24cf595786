using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>Operations on extended attributes.</summary>
public sealed partial class FuseSession
{
    private Errno GetXattr(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_getxattr_in arguments) || !reader.TryReadString(FuseLimits.XattrNameBytesMax, out EntryName name))
        {
            return XattrNameError(reader.Error);
        }

        Span<byte> value = request.Scratch[..(int)Math.Min(arguments.size, FuseLimits.XattrBytesMax)];
        if (IsAttachHandshake(request, name, out bool withoutOpens))
        {
            return ReplySized(request, Attach(files, withoutOpens, value, out int attachLength), value, attachLength);
        }

        if (TryAnswerHandle(request, files, name, value, out Errno handleError, out int handleLength))
        {
            return ReplySized(request, handleError, value, handleLength);
        }

        if (IsOfLocks(request, name))
        {
            return ReplySized(request, GetAskedLocks(value, out int locksLength), value, locksLength);
        }

        if (IsOfEvents(request, name))
        {
            return GetEvents(request, files, name, arguments.size);
        }

        if (TakeReport(request, files, name))
        {
            return Errno.ENODATA;
        }

        Errno error = files.GetXattr(request.Node, name, value, out int length);
        return ReplySized(request, error, value, length);
    }

    private static Errno ListXattr(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_getxattr_in arguments))
        {
            return reader.Error;
        }

        Span<byte> list = request.Scratch[..FuseLimits.XattrBytesMax];
        Errno error = files.ListXattr(request.Node, list, out int length);
        if (error == Errno.None && CallerOf(request) is { Uid: not 0, IsUnknown: false })
        {
            length = RemoveTrusted(list, length);
        }

        if (error == Errno.None && arguments.size != 0 && length > arguments.size)
        {
            error = Errno.ERANGE;
        }

        return ReplySized(request, error, arguments.size == 0 ? [] : list, length);
    }

    /// <summary>Only those with CAP_SYS_ADMIN are shown trusted attributes (xattr(7)); of a caller, the protocol tells its user.</summary>
    /// <returns>How many bytes of the list are left.</returns>
    private static int RemoveTrusted(Span<byte> list, int length)
    {
        int kept = 0;
        for (int start = 0; start < length;)
        {
            int end = start + list[start..length].IndexOf((byte)0) + 1;
            if (!list[start..end].StartsWith("trusted."u8))
            {
                list[start..end].CopyTo(list[kept..]);
                kept += end - start;
            }

            start = end;
        }

        return kept;
    }

    private Errno SetXattr(FuseRequest request, IFileSystem files)
    {
        // Clients that were not granted SETXATTR_EXT send only the first half of the struct.
        const int ShortBytes = 8;
        FuseRequestReader reader = new(request);
        fuse_setxattr_in arguments = default;
        if (_granted.HasFlag(FuseInitFlags.SetxattrExt))
        {
            if (!reader.TryRead(out arguments))
            {
                return reader.Error;
            }
        }
        else
        {
            if (!reader.TryReadBytes(ShortBytes, out ReadOnlySpan<byte> bytes))
            {
                return reader.Error;
            }

            arguments.size = BitConverter.ToUInt32(bytes);
            arguments.flags = BitConverter.ToUInt32(bytes[4..]);
        }

        if (!reader.TryReadString(FuseLimits.XattrNameBytesMax, out EntryName name))
        {
            return XattrNameError(reader.Error);
        }

        if (!reader.TryReadBytes(arguments.size, out ReadOnlySpan<byte> value))
        {
            return reader.Error;
        }

        if (TakeOpenedFiles(request, files, name, value))
        {
            return Errno.ENODATA;
        }

        if (IsSubscription(request, name))
        {
            return Subscribe(files, value);
        }

        bool killSgid = ((FuseSetXattrFlags)arguments.setxattr_flags).HasFlag(FuseSetXattrFlags.AclKillSgid);
        return ReplyOnSuccess(request, files.SetXattr(CallerOf(request), request.Node, name, value, (int)arguments.flags, killSgid));
    }

    private Errno RemoveXattr(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryReadString(FuseLimits.XattrNameBytesMax, out EntryName name))
        {
            return XattrNameError(reader.Error);
        }

        Errno error = IsAttachHandshake(request, name, out _) ? Detach(files) : files.RemoveXattr(request.Node, name);
        return ReplyOnSuccess(request, error);
    }

    /// <summary>A size of 0 asks how much room the value needs.</summary>
    private static Errno ReplySized(FuseRequest request, Errno error, ReadOnlySpan<byte> value, int length)
    {
        if (error != Errno.None)
        {
            return error;
        }

        if (value.IsEmpty)
        {
            request.Reply(new fuse_getxattr_out { size = (uint)length });
        }
        else
        {
            request.Reply(value[..length]);
        }

        return Errno.None;
    }

    /// <summary>The kernel says ERANGE, not ENAMETOOLONG, about an attribute's name (xattr(7)).</summary>
    private static Errno XattrNameError(Errno error) => error == Errno.ENAMETOOLONG ? Errno.ERANGE : error;
}
