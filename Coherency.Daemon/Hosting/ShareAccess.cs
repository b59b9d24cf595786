using Coherency.Host.Server;
using Coherency.Host.Translation;

namespace Coherency.Daemon.Hosting;

/// <summary>How a session gets at a share.</summary>
internal static class ShareAccess
{
    /// <param name="translation">What the session knows by other numbers and names.</param>
    public static IFileSystem Restrict(IFileSystem files, bool isReadOnly, ClientTranslation translation) =>
        translation.Apply(isReadOnly ? new ReadOnlyFileSystem(files) : files);
}
