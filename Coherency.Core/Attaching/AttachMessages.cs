using System.Text.Json;
using System.Text.Json.Serialization;

namespace Coherency.Core.Attaching;

/// <summary>
/// What a keeper asks a server for: to serve one guest. Two descriptors go with it: an O_PATH one of the directory, and the server's
/// end of the socket over which vhost-user messages are relayed.
/// </summary>
public sealed record AttachRequest
{
    /// <summary>Descriptors of a request, in this order.</summary>
    public const int DirectoryFd = 0;
    public const int ControlFd = 1;
    public const int FdCount = 2;

    /// <summary>What logs and administrators call the guest.</summary>
    public required string Name { get; init; }

    /// <summary>The shared directory, absolute; the descriptor says which it is.</summary>
    public required string Directory { get; init; }

    /// <summary>The mount tag; null when the device's configuration is not to be offered.</summary>
    public string? Tag { get; set; }

    /// <summary>never, auto, metadata or always. With auto a server may give the guest a version table as well.</summary>
    public string Cache { get; set; } = "auto";

    /// <summary>never, prefer or mandatory.</summary>
    public string InodeFileHandles { get; set; } = "prefer";

    /// <summary>never, auto or always: whether INIT fails for clients that do not enforce ACLs.</summary>
    public string PosixAcl { get; set; } = "never";

    /// <summary>never, auto or always: whether INIT fails for clients that do not say which security context new files have.</summary>
    public string SecurityLabel { get; set; } = "never";

    public bool PreserveNoatime { get; set; }

    public bool Readonly { get; set; }

    public bool Writeback { get; set; }

    public bool Xattr { get; set; }

    public bool KillprivV2 { get; set; }

    public bool Readdirplus { get; set; } = true;

    public bool AnnounceSubmounts { get; set; } = true;

    public bool AllowDirectIo { get; set; }

    public bool AllowMmap { get; set; }

    public bool PosixLocks { get; set; } = true;

    public bool Flock { get; set; } = true;

    /// <summary>Rules by which ids of users are translated (<see cref="Translation.IdRule"/>); none when ids are the same.</summary>
    public IReadOnlyList<string> TranslateUid { get; set; } = [];

    /// <summary>The same of groups.</summary>
    public IReadOnlyList<string> TranslateGid { get; set; } = [];

    /// <summary>Rules by which attributes are named (<see cref="Translation.XattrRule"/>); null when names are the same.</summary>
    public string? Xattrmap { get; set; }

    /// <summary>Threads of each queue beside its first.</summary>
    public int ThreadPoolSize { get; set; }
}

/// <summary>What a server says to a keeper.</summary>
public enum AttachNoticeKind
{
    /// <summary>The guest is served; the text is where its version table is, or empty.</summary>
    Attached,

    /// <summary>It is not; the text says why.</summary>
    Refused,

    /// <summary>A line for the keeper's log.</summary>
    Logged,

    /// <summary>It is served no more, and should not be again; the text says why.</summary>
    Ended,

    /// <summary>The server stops; another one may serve the guest.</summary>
    Stopped,
}

/// <summary>How severe a line of a keeper's log is; the names are those of virtiofsd's <c>--log-level</c>.</summary>
public enum LineSeverity
{
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// <param name="Severity">Of a line for the log.</param>
public sealed record AttachNotice(AttachNoticeKind Kind, string Text, LineSeverity Severity = LineSeverity.Info);

/// <summary>How both look on the way: JSON, one message each.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(AttachRequest))]
[JsonSerializable(typeof(AttachNotice))]
public sealed partial class AttachJson : JsonSerializerContext;
