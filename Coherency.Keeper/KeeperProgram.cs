using Coherency.Keeper.Options;

namespace Coherency.Keeper;

/// <summary>Entry point of <c>coherencyd-virtiofsd</c>.</summary>
public static class KeeperProgram
{
    public static int Main(string[] args)
    {
        try
        {
            ParsedCommand command = VirtiofsdCommand.Parse(args);
            return command.Options is { } options ? GuestKeeper.Run(options) : Print(command.Printed);
        }
        catch (RefusedException refused) when (refused.ExitCode == RefusedException.Usage)
        {
            Console.Error.WriteLine($"error: {refused.Message}");
            return refused.ExitCode;
        }
    }

    /// <summary>In bytes: what a console needs beside would take longer than all the rest.</summary>
    private static int Print(string text)
    {
        using Stream output = Console.OpenStandardOutput();
        output.Write(System.Text.Encoding.UTF8.GetBytes(text));
        return 0;
    }
}
